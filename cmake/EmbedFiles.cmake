# pipit_embed_files(OUTPUT FILE...): writes a header with the text of each file as a C++ raw string, in
# `pipit::kEmbeddedFiles`, pairs of file name and content. It is written again when a file changes.
function(pipit_embed_files output)
  set(text "#pragma once\n\n#include <array>\n#include <string_view>\n#include <utility>\n\nnamespace pipit {\n\n")
  list(LENGTH ARGN count)
  string(APPEND text "inline constexpr std::array<std::pair<std::string_view, std::string_view>, ${count}> "
                     "kEmbeddedFiles = {{\n")
  foreach(path ${ARGN})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
    file(READ ${path} content)
    get_filename_component(name ${path} NAME)
    string(APPEND text "    {\"${name}\", R\"embedded(${content})embedded\"},\n")
  endforeach()
  string(APPEND text "}};\n\n}  // namespace pipit\n")
  file(CONFIGURE OUTPUT ${output} CONTENT "${text}" @ONLY)
endfunction()
