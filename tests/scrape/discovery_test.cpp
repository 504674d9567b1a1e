#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>

#include "scrape/dns_records.h"
#include "scrape/docker_labels.h"
#include "scrape/target_finder.h"
#include "telemetry/metrics.h"
#include "tests/scrape/page_server.h"

namespace pipit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Peer = PageServer::Peer;

/// A finder with one job, and the addresses of what it found last.
class DiscoveryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("pipit_discovery_test_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override {
    finder_.reset();
    std::filesystem::remove_all(folder_);
  }

  void find(ScrapeConfig config) {
    if (!finder_) {
      finder_ = std::make_unique<TargetFinder>(metrics, "test", [this](FoundJob job) { take(std::move(job)); });
    }
    std::vector<std::shared_ptr<const ScrapeConfig>> jobs = {std::make_shared<const ScrapeConfig>(std::move(config))};
    finder_->apply(std::move(jobs), [this](std::vector<FoundJob> found) { take(std::move(found.front())); });
  }

  void find(DiscoveryConfig discovery) {
    ScrapeConfig config;
    config.job_name = "test";
    config.discoveries = {std::move(discovery)};
    find(std::move(config));
  }

  void take(FoundJob job) {
    std::lock_guard lock(mutex_);
    last_ = std::move(job.targets);
    changed_.notify_all();
  }

  /// The addresses once they are `expected`, or as they are after ten seconds.
  std::vector<std::string> addresses(const std::vector<std::string>& expected) {
    std::unique_lock lock(mutex_);
    std::vector<std::string> seen;
    changed_.wait_for(lock, std::chrono::seconds(10), [&] {
      seen.clear();
      for (const Target& target : last_.active) seen.emplace_back(target.discovered.get("__address__"));
      std::sort(seen.begin(), seen.end());
      return seen == expected;
    });
    return seen;
  }

  std::string label(const std::string& name) {
    std::lock_guard lock(mutex_);
    return last_.active.empty() ? "no target" : std::string(last_.active.front().discovered.get(name));
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }

  double failures(const std::string& mechanism) {
    return metrics
        .counter("pipit_sd_refresh_failures_total", "Refreshes of discovery that failed.", {{"mechanism", mechanism}})
        .value();
  }
  bool wait_for_failure(const std::string& mechanism) {
    for (int i = 0; i < 1000 && failures(mechanism) == 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return failures(mechanism) > 0;
  }

  MetricsRegistry metrics;
  std::filesystem::path folder_;
  std::mutex mutex_;
  std::condition_variable changed_;
  TargetSet last_;
  std::unique_ptr<TargetFinder> finder_;
};

using Addresses = std::vector<std::string>;

TEST_F(DiscoveryTest, FilesAreWatched) {
  write("a.json", R"([{"targets": ["one:1", "two:2"], "labels": {"env": "test"}}])");
  find(FileDiscoveryConfig{{path("*.json"), path("*.yml")}});
  EXPECT_EQ(addresses({"one:1", "two:2"}), Addresses({"one:1", "two:2"}));
  EXPECT_EQ(label("__meta_filepath"), path("a.json"));
  EXPECT_EQ(label("env"), "test");
  write("b.yml", "- targets: [three:3]\n");
  EXPECT_EQ(addresses({"one:1", "three:3", "two:2"}), Addresses({"one:1", "three:3", "two:2"}));
  write("c.new", R"([{"targets": ["four:4"]}])");
  std::filesystem::rename(path("c.new"), path("a.json"));
  EXPECT_EQ(addresses({"four:4", "three:3"}), Addresses({"four:4", "three:3"}));
  std::filesystem::remove(path("b.yml"));
  EXPECT_EQ(addresses({"four:4"}), Addresses({"four:4"}));
}

TEST_F(DiscoveryTest, AFileThatIsBrokenKeepsItsLastTargets) {
  write("a.yml", "- targets: [one:1]\n");
  write("b.yml", "- targets: [two:2]\n");
  find(FileDiscoveryConfig{{path("*.yml")}});
  ASSERT_EQ(addresses({"one:1", "two:2"}), Addresses({"one:1", "two:2"}));
  write("a.yml", "- targets: [one:1, \n");
  EXPECT_TRUE(wait_for_failure("file"));
  write("b.yml", "- targets: [three:3]\n");
  EXPECT_EQ(addresses({"one:1", "three:3"}), Addresses({"one:1", "three:3"}));
}

TEST_F(DiscoveryTest, AFileIsReadWhenItsWriterIsDone) {
  write("a.yml", "- targets: [one:1]\n");
  write("b.yml", "- targets: [two:2]\n");
  find(FileDiscoveryConfig{{path("*.yml")}});
  ASSERT_EQ(addresses({"one:1", "two:2"}), Addresses({"one:1", "two:2"}));
  std::ofstream half(path("a.yml"));
  half << "- targets: [four:4]\n" << std::flush;  // valid so far, and not all of it
  write("b.yml", "- targets: [three:3]\n");
  EXPECT_EQ(addresses({"one:1", "three:3"}), Addresses({"one:1", "three:3"}));
  half << "- targets: [five:5]\n" << std::flush;
  half.close();
  EXPECT_EQ(addresses({"five:5", "four:4", "three:3"}), Addresses({"five:5", "four:4", "three:3"}));
}

TEST_F(DiscoveryTest, AReloadKeepsWhatAnUnchangedDiscoveryHasFound) {
  write("a.yml", "- targets: [one:1]\n");
  find(FileDiscoveryConfig{{path("a.yml")}});
  ASSERT_EQ(addresses({"one:1"}), Addresses({"one:1"}));
  ScrapeConfig config;
  config.job_name = "test";
  config.discoveries = {FileDiscoveryConfig{{path("a.yml")}}};
  config.static_configs = {{{"two:2"}, {}}};
  find(config);
  std::lock_guard lock(mutex_);
  EXPECT_EQ(last_.active.size(), 2U) << "at once, without a moment in which the target is gone";
}

TEST_F(DiscoveryTest, AServerAnswersWithTargets) {
  std::atomic<int> calls{0};
  PageServer server([&](const std::string&, Peer& peer) {
    const int call = ++calls;
    const std::string body = call == 2 ? "[{\"targets\": [\"half" : R"([{"targets": ["one:1"], "labels": {"a": "b"}}])";
    const std::string last = R"([{"targets": ["two:2"]}])";
    const std::string& text = call < 4 ? body : last;
    return peer.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
                     std::to_string(text.size()) + "\r\n\r\n" + text);
  });
  const std::string url = "http://" + server.address() + "/targets?x=y";
  HttpDiscoveryConfig config;
  config.url = url;
  config.refresh_interval = 100;
  config.http_client.authorization = Authorization{"Bearer", {"abc", ""}};
  find(config);
  EXPECT_EQ(addresses({"one:1"}), Addresses({"one:1"}));
  EXPECT_EQ(label("__meta_url"), url);
  EXPECT_EQ(label("a"), "b");
  EXPECT_EQ(addresses({"two:2"}), Addresses({"two:2"}));
  EXPECT_EQ(failures("http"), 1) << "the answer that was cut short left the targets as they were";
  EXPECT_THAT(server.requests().front(), HasSubstr("\r\nAuthorization: Bearer abc\r\n"));
  EXPECT_THAT(server.requests().front(), HasSubstr("\r\nX-Prometheus-Refresh-Interval-Seconds: 0.1\r\n"));
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(DiscoveryTest, JobsThatAskTheSameShareTheAnswer) {
  std::atomic<int> calls{0};
  PageServer server([&](const std::string&, Peer& peer) {
    ++calls;
    const std::string text = R"([{"targets": ["one:1"]}])";
    return peer.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
                     std::to_string(text.size()) + "\r\n\r\n" + text);
  });
  HttpDiscoveryConfig http;
  http.url = "http://" + server.address() + "/";
  http.refresh_interval = 3'600'000;
  std::vector<std::shared_ptr<const ScrapeConfig>> jobs;
  for (const char* name : {"first", "second"}) {
    ScrapeConfig config;
    config.job_name = name;
    config.discoveries = {http, http};
    jobs.push_back(std::make_shared<const ScrapeConfig>(std::move(config)));
  }
  std::map<std::string, std::size_t> found;
  finder_ = std::make_unique<TargetFinder>(metrics, "test", [&](FoundJob job) {
    std::lock_guard lock(mutex_);
    found[job.config->job_name] = job.targets.active.size();
    changed_.notify_all();
  });
  finder_->apply(jobs, [](const std::vector<FoundJob>&) {});
  {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(10), [&] { return found.size() == 2; }));
    EXPECT_EQ(found, (std::map<std::string, std::size_t>{{"first", 1}, {"second", 1}}));
  }
  jobs.erase(jobs.begin());
  finder_->apply(std::move(jobs), [](const std::vector<FoundJob>& now) {
    EXPECT_EQ(now.front().targets.active.size(), 1U) << "the answer outlives the job that brought it";
  });
  EXPECT_EQ(calls, 1);
}

TEST_F(DiscoveryTest, WhatIsNoFileIsNotWaitedFor) {
  ASSERT_EQ(mkfifo(path("pipe.yml").c_str(), 0600), 0);
  write("real.yml", "- targets: [one:1]\n");
  FileDiscoveryConfig config;
  config.files = {path("pipe.yml"), path("real.yml")};
  find(config);
  EXPECT_EQ(addresses({"one:1"}), Addresses({"one:1"}));
  EXPECT_EQ(failures("file"), 1);
}

TEST_F(DiscoveryTest, LabelsTimesTargetsAreBounded) {
  std::string text = "[{\"labels\": {\"a\": \"" + std::string(1 << 20, 'x') + "\"}, \"targets\": [";
  for (int i = 0; i < 300; ++i) text += (i > 0 ? ",\"h" : "\"h") + std::to_string(i) + ":1\"";
  write("big.json", text + "]}]");
  write("real.yml", "- targets: [one:1]\n");
  FileDiscoveryConfig config;
  config.files = {path("big.json"), path("real.yml")};
  find(config);
  EXPECT_EQ(addresses({"one:1"}), Addresses({"one:1"}));
  EXPECT_EQ(failures("file"), 1);
}

TEST_F(DiscoveryTest, AnswersOfAnotherTypeAreRefused) {
  PageServer server([&](const std::string&, Peer& peer) { return peer.send(PageServer::ok("[]")); });
  HttpDiscoveryConfig config;
  config.url = "http://" + server.address() + "/";
  find(config);
  EXPECT_TRUE(wait_for_failure("http"));
}

// What the engine's API documents for /containers/json and /networks, shortened to what is read.
const char* const kContainers = R"([
 {"Id": "c1", "Names": ["/web"], "Labels": {"traefik.http.port": "80", "app": "shop"},
  "HostConfig": {"NetworkMode": "front"}, "State": "running",
  "Ports": [{"IP": "0.0.0.0", "PrivatePort": 8000, "PublicPort": 80, "Type": "tcp"},
            {"PrivatePort": 8001, "Type": "tcp"}, {"PrivatePort": 53, "Type": "udp"}],
  "NetworkSettings": {"Networks": {"front": {"NetworkID": "n1", "IPAddress": "172.18.0.2"},
                                   "back": {"NetworkID": "n2", "IPAddress": "172.19.0.2"}}}},
 {"Id": "c2", "Names": ["/sidecar"], "Labels": {}, "HostConfig": {"NetworkMode": "container:c1"},
  "Ports": [], "NetworkSettings": {"Networks": {}}},
 {"Id": "c3", "Names": ["/node-exporter"], "Labels": {}, "HostConfig": {"NetworkMode": "host"},
  "Ports": [], "NetworkSettings": {"Networks": {"host": {"NetworkID": "n3", "IPAddress": ""}}}},
 {"Id": "c4", "Names": [], "NetworkSettings": {"Networks": {}}}])";
const char* const kNetworks = R"([
 {"Name": "front", "Id": "n1", "Scope": "local", "Internal": false, "Ingress": false, "Labels": {"com.x": "y"}},
 {"Name": "back", "Id": "n2", "Scope": "local", "Internal": true, "Ingress": false, "Labels": null},
 {"Name": "host", "Id": "n3", "Scope": "local", "Internal": false, "Ingress": false, "Labels": {}}])";

std::vector<std::string> printed(const std::vector<TargetGroup>& groups) {
  std::vector<std::string> out;
  for (const TargetGroup& group : groups) {
    std::string line = group.targets.front() + " " + std::string(group.labels.get("__meta_docker_container_name")) +
                       " " + std::string(group.labels.get("__meta_docker_network_name"));
    out.push_back(line);
  }
  return out;
}

TEST(Docker, ContainersAreTargetsByPortAndNetwork) {
  DockerDiscoveryConfig config;
  config.port = 9;
  config.host_networking_host = "box";
  const auto first = docker_targets(kContainers, kNetworks, config);
  ASSERT_TRUE(first.ok());
  EXPECT_THAT(printed(*first), ElementsAre("172.19.0.2:8000 /web back", "172.19.0.2:8001 /web back",
                                           "172.19.0.2:9 /sidecar back", "box /node-exporter host"));
  config.match_first_network = false;
  const auto all = docker_targets(kContainers, kNetworks, config);
  ASSERT_TRUE(all.ok());
  ASSERT_EQ(all->size(), 7U);
  EXPECT_EQ((*all)[2].labels.to_string(),
            "{__meta_docker_container_id=\"c1\", __meta_docker_container_label_app=\"shop\", "
            "__meta_docker_container_label_traefik_http_port=\"80\", __meta_docker_container_name=\"/web\", "
            "__meta_docker_container_network_mode=\"front\", __meta_docker_network_id=\"n1\", "
            "__meta_docker_network_ingress=\"false\", __meta_docker_network_internal=\"false\", "
            "__meta_docker_network_ip=\"172.18.0.2\", __meta_docker_network_label_com_x=\"y\", "
            "__meta_docker_network_name=\"front\", __meta_docker_network_scope=\"local\", "
            "__meta_docker_port_private=\"8000\", __meta_docker_port_public=\"80\", "
            "__meta_docker_port_public_ip=\"0.0.0.0\"}");
  EXPECT_EQ((*all)[2].targets.front(), "172.18.0.2:8000");
}

TEST(Docker, OddAnswersAreNoTargets) {
  for (const char* text : {"", "{}", "[", "null", "{\"message\": \"no\"}"}) {
    EXPECT_FALSE(docker_targets(text, "[]", {}).ok()) << text;
    EXPECT_FALSE(docker_targets("[]", text, {}).ok()) << text;
  }
  for (const char* text : {"[]", "[1, null, []]", R"([{"Names": 1}])", R"([{"Id": "a", "Names": ["/a"]}])",
                           R"([{"Id": "a", "Names": ["/a"], "HostConfig": {"NetworkMode": "container:a"}}])"}) {
    const auto targets = docker_targets(text, "[{}, 1]", {});
    ASSERT_TRUE(targets.ok()) << text;
    EXPECT_TRUE(targets->empty()) << text;
  }
}

TEST(Docker, LargeLabelsOfManyPortsAreRefusedBeforeTheyFillTheMemory) {
  std::string ports;
  for (int i = 0; i < 5'000; ++i) ports += R"({"Type": "tcp"},)";
  const std::string text = R"([{"Id": "a", "Names": ["/a"], "Labels": {"x": ")" + std::string(100'000, 'x') +
                           R"("}, "Ports": [)" + ports +
                           R"({}], "NetworkSettings": {"Networks": {"n": {"IPAddress": "10.0.0.1"}}}}])";
  const auto targets = docker_targets(text, "[]", {});
  ASSERT_FALSE(targets.ok());
  EXPECT_EQ(targets.error().message, "docker: the targets' labels have more than 256 MB");
}

/// Answers as the engine does, on a unix socket, one connection at a time.
class UnixServer {
 public:
  explicit UnixServer(const std::string& path) {
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd_, 8) != 0) std::abort();
    thread_ = std::thread([this] { run(); });
  }
  ~UnixServer() {
    shutdown(fd_, SHUT_RDWR);
    thread_.join();
    close(fd_);
  }
  std::vector<std::string> requests() const {
    std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void run() {
    for (int peer; (peer = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0; close(peer)) {
      std::string pending;
      char buffer[4096];
      for (ssize_t got; (got = recv(peer, buffer, sizeof buffer, 0)) > 0;) {
        pending.append(buffer, static_cast<std::size_t>(got));
        if (!pending.ends_with("\r\n\r\n")) continue;
        const std::string body = pending.starts_with("GET /networks ") ? kNetworks : kContainers;
        const std::string answer =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" +
            hex(body.size()) + "\r\n" + body + "\r\n0\r\n\r\n";
        {
          std::lock_guard lock(mutex_);
          requests_.push_back(std::exchange(pending, {}));
        }
        if (send(peer, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) break;
      }
    }
  }
  static std::string hex(std::size_t n) {
    char text[20];
    std::snprintf(text, sizeof text, "%zx", n);
    return text;
  }

  int fd_ = -1;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

TEST_F(DiscoveryTest, TheDockerEngineIsAskedOverItsSocket) {
  auto engine = std::make_unique<UnixServer>(path("docker.sock"));
  DockerDiscoveryConfig config;
  config.host = "unix://" + path("docker.sock");
  config.filters = {{"label", {"scrape=yes"}}, {"status", {"running"}}};
  find(config);
  const Addresses expected = {"172.19.0.2:80", "172.19.0.2:8000", "172.19.0.2:8001", "localhost"};
  EXPECT_EQ(addresses(expected), expected);
  EXPECT_THAT(
      engine->requests().front(),
      HasSubstr("GET /containers/json?filters=%7B%22label%22%3A%7B%22scrape%3Dyes%22%3Atrue%7D%2C%22status%22%3A%7B"
                "%22running%22%3Atrue%7D%7D HTTP/1.1\r\n"));
  finder_.reset();
}

/// Answers every question of DNS with fixed bytes behind the question's own.
class NameServer {
 public:
  using Answer = std::function<std::string(const std::string& question)>;
  explicit NameServer(Answer answer) : answer_(std::move(answer)) {
    fd_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      std::abort();
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~NameServer() {
    shutdown(fd_, SHUT_RDWR);
    thread_.join();
    close(fd_);
  }
  DnsServer server() const { return {"127.0.0.1", port_}; }

 private:
  void run() {
    for (;;) {
      char buffer[512];
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const auto got = recvfrom(fd_, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (got <= 0) return;
      const std::string answer = answer_({buffer, static_cast<std::size_t>(got)});
      sendto(fd_, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }
  Answer answer_;
  int fd_ = -1;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

/// The question's head and question as an answer with `count` records and a code (0 fine, 3 no such name).
std::string dns_answer(const std::string& question, char count, const std::string& records, char code = 0) {
  const std::size_t end_of_name = question.find('\0', 12);
  std::string out = question.substr(0, 2) + std::string("\x81", 1) + static_cast<char>(0x80 | code);
  out += std::string("\0\1\0", 3) + count + std::string(4, '\0');
  return out + question.substr(12, end_of_name + 5 - 12) + records;
}

std::string record(char type, const std::string& data) {
  return std::string("\xc0\x0c\0", 3) + type + std::string("\0\1\0\0\0\x3c\0", 7) + static_cast<char>(data.size()) +
         data;
}

TEST(Dns, RecordsOfEachTypeAreRead) {
  const std::string host = std::string("\3one\4test\0", 10);
  struct Case {
    DnsRecordType type;
    char wire;
    std::string data;
    DnsRecord expected;
  };
  const Case cases[] = {
      {DnsRecordType::a, 1, "\x0a\x01\x02\x03", {"10.1.2.3", 0}},
      {DnsRecordType::aaaa, 28, "\xfd" + std::string(14, '\0') + "\1", {"fd00::1", 0}},
      {DnsRecordType::srv, 33, std::string("\0\1\0\2\x23\x8c", 6) + host, {"one.test", 9100}},
      {DnsRecordType::mx, 15, std::string("\0\x0a", 2) + host, {"one.test", 0}},
      {DnsRecordType::ns, 2, host, {"one.test", 0}},
  };
  for (const Case& c : cases) {
    // A CNAME on the way is left out.
    NameServer server(
        [&](const std::string& question) { return dns_answer(question, 2, record(5, host) + record(c.wire, c.data)); });
    const auto records = look_up_records("name.test.", c.type, server.server());
    ASSERT_TRUE(records.ok()) << records.error().message;
    EXPECT_THAT(*records, ElementsAre(c.expected));
  }
}

TEST(Dns, NamesThatDoNotExistAreToldFromServersThatFail) {
  NameServer missing([](const std::string& question) { return dns_answer(question, 0, "", 3); });
  const auto none = look_up_records("name.test.", DnsRecordType::srv, missing.server());
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().kind, ErrorKind::not_found);
  NameServer empty([](const std::string& question) { return dns_answer(question, 0, ""); });
  const auto nothing = look_up_records("name.test.", DnsRecordType::srv, empty.server());
  ASSERT_TRUE(nothing.ok());
  EXPECT_TRUE(nothing->empty());
  NameServer refuses([](const std::string& question) { return dns_answer(question, 0, "", 2); });
  const auto failed = look_up_records("name.test.", DnsRecordType::srv, refuses.server());
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().kind, ErrorKind::unavailable);
}

TEST(Dns, MalformedAnswersAreErrors) {
  const std::string head("\0\1\x81\x80\0\1\0\1\0\0\0\0\4name\0\0\x21\0\1", 22);
  const std::string loop = head + std::string("\xc0\x0c\0\x21\0\1\0\0\0\x3c\0\x08\0\1\0\2\x23\x8c\xc0\x28", 20);
  for (const std::string& bytes : {std::string(), std::string("abc"), head, head + "\xc0", loop}) {
    const auto records =
        parse_dns_answer(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), DnsRecordType::srv);
    EXPECT_FALSE(records.ok()) << bytes.size();
  }
}

}  // namespace
}  // namespace pipit
