#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>


namespace pipit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kPatience = std::chrono::seconds(10);

/// True as soon as `condition` is, false when patience is at an end.
template <class Condition>
bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// `pipit serve` in a process of its own, its log in a file.
class Served {
 public:
  Served(std::filesystem::path log, std::vector<std::string> arguments) : log_(std::move(log)) {
    // The program itself: a fork alone would lack the threads that RocksDB has started for tests before this one.
    arguments.insert(arguments.begin(), {"pipit", "serve"});
    std::filesystem::remove(log_);  // what an earlier one wrote must not be taken for its own
    pid_ = ::fork();
    if (pid_ != 0) return;
    const int file = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(file, STDERR_FILENO);
    ::dup2(file, STDOUT_FILENO);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execv(PIPIT_BINARY_DIR "/pipit", argv.data());
    ::_exit(127);
  }
  ~Served() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;

  std::string log() const { return read_text(log_); }
  bool logs(const std::string& text) const {
    return eventually([&] { return log().find(text) != std::string::npos; });
  }
  void signal(int number) const { ::kill(pid_, number); }

  /// The exit code; -1 when it does not end.
  int exit_code() {
    int status = 0;
    if (!eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; })) return -1;
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  /// The port that the log names once it is ready, 0 when it never is.
  int port() const {
    if (!logs("msg=Ready")) return 0;
    const std::string text = log(), mark = "address=127.0.0.1:";
    const std::size_t at = text.find(mark);
    return at == std::string::npos ? 0 : std::atoi(text.c_str() + at + mark.size());
  }

 private:
  std::filesystem::path log_;
  pid_t pid_ = 0;
};

/// The whole answer, with its head.
std::string request(int port, const std::string& method, const std::string& path) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    const std::string text =
        method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    if (::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size())) {
      char buffer[4096];
      for (ssize_t size = 0; (size = ::read(fd, buffer, sizeof buffer)) > 0;) {
        answer.append(buffer, static_cast<std::size_t>(size));
      }
    }
  }
  ::close(fd);
  return answer;
}

std::string get(int port, const std::string& path) { return request(port, "GET", path); }

class Serve : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() / ("pipit-serve-" + std::to_string(::getpid()));
    std::filesystem::create_directories(directory_);
    write_config("global: {scrape_interval: 15s}\n");
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void write_config(const std::string& text) const { std::ofstream(directory_ / "prometheus.yml") << text; }

  std::vector<std::string> arguments(std::vector<std::string> more = {}) const {
    std::vector<std::string> all = {"--config.file=" + (directory_ / "prometheus.yml").string(),
                                    "--storage.tsdb.path=" + (directory_ / "data").string()};
    if (more.empty() || !more.front().starts_with("--web.listen-address")) {
      all.emplace_back("--web.listen-address=127.0.0.1:0");
    }
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  std::filesystem::path log(const char* name = "log") const { return directory_ / name; }

  std::filesystem::path directory_;
};

TEST_F(Serve, AnswersUntilASignalEndsItCleanly) {
  for (const int number : {SIGTERM, SIGINT}) {
    Served served(log(), arguments());
    const int port = served.port();
    ASSERT_NE(port, 0) << served.log();
    EXPECT_THAT(get(port, "/-/ready"), HasSubstr("200 OK"));
    EXPECT_THAT(get(port, "/-/healthy"), HasSubstr("200 OK"));
    const std::string metrics = get(port, "/metrics");
    EXPECT_THAT(metrics, HasSubstr("pipit_config_last_reload_successful 1"));
    EXPECT_THAT(metrics, HasSubstr("pipit_build_info{version="));
    served.signal(number);
    EXPECT_EQ(served.exit_code(), 0) << served.log();
    EXPECT_THAT(served.log(), HasSubstr("msg=Stopped"));
  }
}

TEST_F(Serve, ASecondOneOnTheSameDirectoryOrPortEndsWithAnError) {
  Served first(log(), arguments());
  const int port = first.port();
  ASSERT_NE(port, 0) << first.log();

  Served same_directory(log("directory"), arguments());
  EXPECT_EQ(same_directory.exit_code(), 1);
  EXPECT_THAT(same_directory.log(), HasSubstr((directory_ / "data" / "pipit").string()));

  Served same_port(log("port"), arguments({"--web.listen-address=127.0.0.1:" + std::to_string(port),
                                           "--storage.tsdb.path=" + (directory_ / "other").string()}));
  EXPECT_EQ(same_port.exit_code(), 2) << "--storage.tsdb.path is given twice";
  std::vector<std::string> other = {"--config.file=" + (directory_ / "prometheus.yml").string(),
                                    "--storage.tsdb.path=" + (directory_ / "other").string(),
                                    "--web.listen-address=127.0.0.1:" + std::to_string(port)};
  Served other_directory(log("port"), other);
  EXPECT_EQ(other_directory.exit_code(), 1);
  EXPECT_THAT(other_directory.log(), HasSubstr("127.0.0.1:" + std::to_string(port)));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "other")) << "the port is taken first";

  EXPECT_THAT(get(port, "/-/ready"), HasSubstr("200 OK")) << "the first one goes on";
}

TEST_F(Serve, ReloadTakesAGoodConfigurationAndRefusesABadOne) {
  Served served(log(), arguments());
  const int port = served.port();
  ASSERT_NE(port, 0) << served.log();
  EXPECT_THAT(get(port, "/api/v1/status/config"), HasSubstr("scrape_interval: 15s"));

  write_config("global: {scrape_intervall: 20s}\n");
  served.signal(SIGHUP);
  ASSERT_TRUE(served.logs("The new configuration is refused, the old one stays")) << served.log();
  EXPECT_THAT(served.log(), HasSubstr("prometheus.yml:1:10: unknown field"));
  EXPECT_THAT(get(port, "/metrics"), HasSubstr("pipit_config_last_reload_successful 0"));
  EXPECT_THAT(get(port, "/api/v1/status/config"), HasSubstr("scrape_interval: 15s"));

  write_config("global: {scrape_interval: 20s}\n");
  served.signal(SIGHUP);
  EXPECT_TRUE(eventually([&] {
    return get(port, "/api/v1/status/config").find("scrape_interval: 20s") != std::string::npos;
  })) << served.log();
  EXPECT_THAT(get(port, "/metrics"), HasSubstr("pipit_config_last_reload_successful 1"));
  EXPECT_THAT(request(port, "POST", "/-/reload"), Not(HasSubstr("200 OK"))) << "only with --web.enable-lifecycle";
}

TEST_F(Serve, LifecycleRequestsReloadAndEnd) {
  Served served(log(), arguments({"--web.enable-lifecycle"}));
  const int port = served.port();
  ASSERT_NE(port, 0) << served.log();
  EXPECT_THAT(request(port, "POST", "/-/reload"), HasSubstr("200 OK"));
  write_config("globl: {}\n");
  const std::string refused = request(port, "POST", "/-/reload");
  EXPECT_THAT(refused, HasSubstr(" 500 "));
  EXPECT_THAT(refused, HasSubstr("prometheus.yml:1:1"));
  EXPECT_THAT(request(port, "POST", "/-/quit"), HasSubstr("200 OK"));
  EXPECT_EQ(served.exit_code(), 0) << served.log();
}

TEST_F(Serve, ScrapesItself) {
  // The port must be known beforehand: a free one that nobody else is given in the meantime, most likely.
  Served first(log(), arguments());
  const int port = first.port();
  ASSERT_NE(port, 0) << first.log();
  write_config("scrape_configs: [{job_name: self, scrape_interval: 1s, static_configs: [{targets: ['127.0.0.1:" +
               std::to_string(port) + "']}]}]\n");
  first.signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return get(port, "/api/v1/query?query=up").find(",\"1\"]") != std::string::npos; }))
      << get(port, "/api/v1/targets") << first.log();
  first.signal(SIGTERM);
  EXPECT_EQ(first.exit_code(), 0);

  Served again(log("again"), arguments());
  const int other_port = again.port();
  ASSERT_NE(other_port, 0) << again.log();
  EXPECT_THAT(get(other_port, "/api/v1/query?query=count_over_time(up%5B5m%5D)"), HasSubstr("\"job\":\"self\""));
}

TEST_F(Serve, PrometheusDataIsNamedAndLeftAlone) {
  const auto block = directory_ / "data" / "01BKGV7JBM69T2G1BGBGM6KB12";
  std::filesystem::create_directories(block);
  std::ofstream(block / "meta.json") << "{}";
  Served served(log(), arguments());
  ASSERT_NE(served.port(), 0) << served.log();
  EXPECT_THAT(served.log(), HasSubstr("found=\"1 block\""));
  served.signal(SIGTERM);
  EXPECT_EQ(served.exit_code(), 0);
  EXPECT_EQ(read_text(block / "meta.json"), "{}");
}

TEST_F(Serve, WhatCannotStartSaysWhyAndEnds) {
  write_config("scrape_configs: [{}]\n");
  Served bad_config(log(), arguments());
  EXPECT_EQ(bad_config.exit_code(), 1);
  EXPECT_THAT(bad_config.log(), HasSubstr("prometheus.yml:1:18: job_name is empty"));

  std::filesystem::remove(directory_ / "prometheus.yml");
  Served no_config(log(), arguments());
  EXPECT_EQ(no_config.exit_code(), 1);
  EXPECT_THAT(no_config.log(), HasSubstr("No such file or directory"));

  write_config("");
  std::ofstream(directory_ / "data") << "a file where the directory should be";
  Served no_directory(log(), arguments());
  EXPECT_EQ(no_directory.exit_code(), 1);
  EXPECT_THAT(no_directory.log(), HasSubstr((directory_ / "data").string()));

  Served no_flag(log(), {"--web.enable-lifecicle"});
  EXPECT_EQ(no_flag.exit_code(), 2);
  EXPECT_THAT(no_flag.log(), HasSubstr("did you mean \"web.enable-lifecycle\"?"));
}

TEST_F(Serve, WhatAFileProtectsIsNotServedOpenly) {
  const std::filesystem::path file = directory_ / "web.yml";
  std::ofstream(file) << "http_server_config: {http2: true}\nbasic_auth_users: {admin: $2y$10$x}\n";
  Served refused(log(), arguments({"--web.config.file=" + file.string()}));
  EXPECT_EQ(refused.exit_code(), 1);
  EXPECT_THAT(refused.log(), HasSubstr("web.yml:2:27: the password of user \\\"admin\\\" is no bcrypt hash"));

  std::ofstream(file) << "basic_auth_user: {admin: $2y$10$x}\n";
  Served misspelt(log(), arguments({"--web.config.file=" + file.string()}));
  EXPECT_EQ(misspelt.exit_code(), 1);
  EXPECT_THAT(misspelt.log(),
              HasSubstr("web.yml:1:1: unknown field \\\"basic_auth_user\\\" in the web configuration (did "
                        "you mean \\\"basic_auth_users\\\"?)"));

  std::ofstream(file) << "[basic_auth_users]\n";
  Served list(log(), arguments({"--web.config.file=" + file.string()}));
  EXPECT_EQ(list.exit_code(), 1);

  std::ofstream(file) << "basic_auth_users: {alice: $2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW}\n";
  Served closed(log(), arguments({"--web.config.file=" + file.string()}));
  const int port = closed.port();
  ASSERT_NE(port, 0) << closed.log();
  EXPECT_THAT(get(port, "/-/healthy"), HasSubstr("Unauthorized"));
}

TEST_F(Serve, FlagsWithoutMeaningAreLogged) {
  Served served(log(), arguments({"--web.enable-otlp-receiver", "--enable-feature=native-histograms"}));
  const int port = served.port();
  ASSERT_NE(port, 0) << served.log();
  EXPECT_THAT(served.log(), HasSubstr("--web.enable-otlp-receiver is not supported yet"));
  EXPECT_THAT(get(port, "/api/v1/status/flags"), HasSubstr("\"enable-feature\":\"native-histograms\""));
}

}  // namespace
}  // namespace pipit
