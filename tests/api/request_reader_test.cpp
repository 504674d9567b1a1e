#include "api/request_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pipit {
namespace {

using State = RequestReader::State;

RequestLimits small_limits() {
  RequestLimits limits;
  limits.request_line = 100;
  limits.head = 300;
  limits.header_count = 5;
  limits.body = 50;
  return limits;
}

struct Good {
  std::string bytes;
  std::string target;
  std::string body;
  bool keep_alive = true;
};

TEST(RequestReader, ReadsWholeRequestsHoweverTheyAreCut) {
  const std::vector<Good> cases = {
      {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "/", ""},
      {"\r\n\r\nGET /a?b=c HTTP/1.1\r\n\r\n", "/a?b=c", ""},
      {"GET / HTTP/1.1\nHost: x\n\n", "/", ""},
      {"GET http://host:1/path?q HTTP/1.1\r\n\r\n", "/path?q", ""},
      {"GET http://host HTTP/1.1\r\n\r\n", "/", ""},
      {"GET / HTTP/1.0\r\n\r\n", "/", "", false},
      {"GET / HTTP/1.1\r\nConnection: foo, Close\r\n\r\n", "/", "", false},
      {"POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde", "/p", "abcde"},
      {"POST /p HTTP/1.1\r\nContent-Length: 2\r\ncontent-length: 2\r\n\r\nab", "/p", "ab"},
      {"POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: x\r\n\r\n",
       "/p", "abc0123456789"},
      {"POST /p HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "/p", ""},
  };
  for (const Good& good : cases) {
    for (std::size_t step : {good.bytes.size(), std::size_t{1}, std::size_t{7}}) {
      SCOPED_TRACE(good.bytes + " in steps of " + std::to_string(step));
      RequestReader reader{RequestLimits()};
      for (std::size_t i = 0; i < good.bytes.size(); i += step)
        reader.feed(std::string_view(good.bytes).substr(i, step));
      ASSERT_EQ(reader.state(), State::complete);
      EXPECT_EQ(reader.request().target, good.target);
      RawRequest request = reader.take();
      EXPECT_EQ(request.target, good.target);
      EXPECT_EQ(request.body, good.body);
      EXPECT_EQ(request.keep_alive, good.keep_alive);
      EXPECT_EQ(reader.state(), State::idle);
      EXPECT_EQ(reader.buffered(), 0u);
    }
  }
}

struct Bad {
  std::string bytes;
  int status;
};

TEST(RequestReader, RefusesWhatIsWrongOrTooLarge) {
  const std::vector<Bad> cases = {
      {"GARBAGE\r\n\r\n", 400},
      {"GET /\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\n\r\n", 400},
      {"GET /a b HTTP/1.1\r\n\r\n", 400},
      {"GET /\x01 HTTP/1.1\r\n\r\n", 400},
      {"G@T / HTTP/1.1\r\n\r\n", 400},
      {std::string("\x16\x03\x01\x02\x00", 5) + "\r\n", 400},  // TLS on a plain port
      {"GET / HTTP/1.1\r\nNo colon\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nName : x\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nA: x\r\n folded\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 400},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabX\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: 51\r\n\r\n", 413},
      {"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 413},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n33\r\n", 413},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", 413},
      {"GET /" + std::string(200, 'x'), 414},
      {"GET / HTTP/1.1\r\nA: " + std::string(400, 'x'), 431},
      {"GET / HTTP/1.1\r\nA: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\nF: 1\r\n", 431},
  };
  for (const Bad& bad : cases) {
    for (std::size_t step : {bad.bytes.size(), std::size_t{1}}) {
      SCOPED_TRACE(bad.bytes + " in steps of " + std::to_string(step));
      RequestReader reader(small_limits());
      for (std::size_t i = 0; i < bad.bytes.size(); i += step) reader.feed(std::string_view(bad.bytes).substr(i, step));
      ASSERT_EQ(reader.state(), State::failed);
      EXPECT_EQ(reader.error_status(), bad.status);
      EXPECT_EQ(reader.buffered(), 0u);
    }
  }
}

TEST(RequestReader, KeepsPipelinedRequestsApart) {
  RequestReader reader{RequestLimits()};
  reader.feed("GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\n\r\nGET /4");
  EXPECT_EQ(reader.take().target, "/1");
  ASSERT_EQ(reader.state(), State::complete);
  EXPECT_EQ(reader.take().body, "abc");
  ASSERT_EQ(reader.state(), State::complete);
  EXPECT_EQ(reader.take().target, "/3");
  EXPECT_EQ(reader.state(), State::reading);
  reader.feed(" HTTP/1.1\r\n\r\n");
  ASSERT_EQ(reader.state(), State::complete);
  EXPECT_EQ(reader.take().target, "/4");
}

TEST(RequestReader, TellsOnceThatTheClientWaitsForContinue) {
  RequestReader reader{RequestLimits()};
  reader.feed("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
  EXPECT_EQ(reader.state(), State::reading);
  EXPECT_TRUE(reader.take_expect_continue());
  EXPECT_FALSE(reader.take_expect_continue());
  reader.feed("x");
  EXPECT_EQ(reader.state(), State::complete);
}

}  // namespace
}  // namespace pipit
