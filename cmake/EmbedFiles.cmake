# pipit_embed_files(OUTPUT NAME FILE...): writes a header with the text of each file as a C++ raw string, in
# `pipit::NAME`, pairs of file name and content. It is written again when a file changes.
function(pipit_embed_files output name_of_all)
  set(text "#pragma once\n\n#include <array>\n#include <string_view>\n#include <utility>\n\nnamespace pipit {\n\n")
  list(LENGTH ARGN count)
  string(APPEND text "inline constexpr std::array<std::pair<std::string_view, std::string_view>, ${count}> "
                     "${name_of_all} = {{\n")
  foreach(path ${ARGN})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
    file(READ ${path} content)
    get_filename_component(name ${path} NAME)
    string(APPEND text "    {\"${name}\", R\"embedded(${content})embedded\"},\n")
  endforeach()
  string(APPEND text "}};\n\n}  // namespace pipit\n")
  file(CONFIGURE OUTPUT ${output} CONTENT "${text}" @ONLY)
endfunction()
