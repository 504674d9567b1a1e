#include "config/remote_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config.h"

namespace pipit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;

TEST(RemoteConfigTest, RemoteWriteHasPrometheussDefaults) {
  const auto config = parse_config("remote_write: [{url: http://a/b}]\nremote_read: [{url: http://c/d}]\n", "t.yml");
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_THAT(config->warnings, SizeIs(0));
  const RemoteWriteConfig& write = config->remote_writes.at(0);
  EXPECT_EQ(write.url, "http://a/b");
  EXPECT_EQ(write.remote_timeout, 30'000);
  EXPECT_EQ(write.protocol, RemoteWriteProtocol::v1);
  EXPECT_EQ(write.max_samples_per_send, 2000u);
  EXPECT_EQ(write.min_shards, 1u);
  EXPECT_EQ(write.max_shards, 50u);
  EXPECT_EQ(write.batch_send_deadline, 5000);
  EXPECT_TRUE(write.send_metadata);
  EXPECT_FALSE(write.send_exemplars);
  const RemoteReadConfig& read = config->remote_reads.at(0);
  EXPECT_EQ(read.remote_timeout, 60'000);
  EXPECT_FALSE(read.read_recent);
  EXPECT_TRUE(read.filter_external_labels);
}

TEST(RemoteConfigTest, AllKeysAreRead) {
  const auto config = parse_config(R"yaml(remote_write:
- name: central
  url: https://a/b
  remote_timeout: 5s
  headers: {X-Scope-OrgID: t}
  protobuf_message: io.prometheus.write.v2.Request
  send_exemplars: true
  bearer_token: s3cret
  write_relabel_configs: [{regex: go_.*, source_labels: [__name__], action: drop}]
  queue_config: {capacity: 5, max_shards: 7, min_shards: 2, max_samples_per_send: 11, batch_send_deadline: 1s,
                 min_backoff: 1ms, max_backoff: 2s, retry_on_http_429: false, sample_age_limit: 1h}
  metadata_config: {send: false, send_interval: 2m, max_samples_per_send: 3}
remote_read:
- url: http://c/d
  name: old
  read_recent: true
  required_matchers: {job: shop}
  filter_external_labels: false
  chunked_read_limit: 1000
)yaml",
                                   "t.yml");
  ASSERT_TRUE(config.ok()) << config.error().message;
  const RemoteWriteConfig& write = config->remote_writes.at(0);
  EXPECT_EQ(write.name, "central");
  EXPECT_EQ(write.remote_timeout, 5000);
  EXPECT_THAT(write.headers, ElementsAre(Pair("X-Scope-OrgID", "t")));
  EXPECT_EQ(write.protocol, RemoteWriteProtocol::v2);
  EXPECT_TRUE(write.send_exemplars);
  EXPECT_EQ(write.http_client.authorization->credentials.text, "s3cret");
  EXPECT_THAT(write.write_relabel_configs, SizeIs(1));
  EXPECT_EQ(write.max_shards, 7u);
  EXPECT_EQ(write.min_shards, 2u);
  EXPECT_EQ(write.max_samples_per_send, 11u);
  EXPECT_EQ(write.batch_send_deadline, 1000);
  EXPECT_EQ(write.min_backoff, 1);
  EXPECT_EQ(write.max_backoff, 2000);
  EXPECT_FALSE(write.retry_on_http_429);
  EXPECT_EQ(write.sample_age_limit, 3600'000);
  EXPECT_FALSE(write.send_metadata);
  EXPECT_EQ(write.metadata_send_interval, 120'000);
  EXPECT_EQ(write.metadata_max_samples_per_send, 3u);
  EXPECT_THAT(write.text, HasSubstr("s3cret")) << "another secret is another endpoint";
  EXPECT_EQ(config->redacted_text.find("s3cret"), std::string::npos);
  const RemoteReadConfig& read = config->remote_reads.at(0);
  EXPECT_EQ(read.name, "old");
  EXPECT_TRUE(read.read_recent);
  EXPECT_EQ(read.required_matchers.get("job"), "shop");
  EXPECT_FALSE(read.filter_external_labels);
  EXPECT_EQ(read.chunked_read_limit, 1000u);
}

}  // namespace
}  // namespace pipit
