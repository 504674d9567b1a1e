// Arbitrary bytes as what a client sends, in pieces, through the request reader, the forms and cpp-httplib's parser.

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "api/http_exchange.h"
#include "api/request_reader.h"

namespace {

pipit::HttpExchange& exchange() {
  static pipit::HttpExchange instance(
      [](const pipit::HttpRequest& request) {
        pipit::HttpResponse response;
        response.body = request.path + std::string(request.form.get("query")) + request.origin;
        return response;
      },
      1000);
  return instance;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  pipit::RequestLimits limits;
  limits.request_line = 256;
  limits.head = 512;
  limits.body = 256;
  pipit::RequestReader reader(limits);
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  // The first byte decides how the input is cut, which must not matter.
  std::size_t step = data[0] == 0 ? input.size() : data[0];
  const std::atomic<bool> canceled{false};
  for (std::size_t i = 0; i < input.size(); i += step) {
    auto state = reader.feed(input.substr(i, step));
    while (state == pipit::RequestReader::State::complete) {
      pipit::RawRequest request = reader.take();
      if (request.body.size() > limits.body) std::abort();
      std::string answer = exchange().answer(std::move(request), canceled).bytes;
      if (!answer.starts_with("HTTP/1.1 ")) std::abort();
      state = reader.state();
    }
    if (state == pipit::RequestReader::State::failed) break;
    reader.take_expect_continue();
    if (reader.buffered() > limits.head + limits.body + step) std::abort();
  }
  return 0;
}
