// `dns_sd_configs`: the records of names are the targets.

#include <map>

#include "scrape/dns_records.h"
#include "scrape/polled_discovery.h"

namespace pipit {
namespace {

std::string address_of(const std::string& host, int port) {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

class DnsDiscovery final : public PolledDiscovery {
 public:
  DnsDiscovery(DnsDiscoveryConfig config, DiscoveryContext& context)
      : PolledDiscovery(context, config.refresh_interval, "dns", config.names.front()), config_(std::move(config)) {}

 private:
  void refresh() override {
    missing_ = config_.names.size();
    fault_.clear();
    for (const std::string& name : config_.names) {
      // The thread must not be the last to hold this: its timer would end after the event loop's end.
      const std::weak_ptr<DnsDiscovery> weak = self<DnsDiscovery>();
      const bool runs = context_.calls.run([weak, name, type = config_.type]() -> BlockingCalls::Answer {
        return [weak, name, records = look_up_records(name, type)] {
          if (const auto discovery = weak.lock()) discovery->take(name, records);
        };
      });
      if (!runs) take(name, Error{ErrorKind::unavailable, "no thread to look it up"});
    }
  }

  void take(const std::string& name, const Result<std::vector<DnsRecord>>& records) {
    if (is_stopped()) return;
    if (records.ok()) {
      groups_[name] = groups_of(name, *records);
    } else if (records.error().kind == ErrorKind::not_found) {
      groups_[name].clear();  // an answer, too: there is nothing of that name
    } else {
      fault_ = records.error().message;
    }
    if (--missing_ > 0) return;
    if (!fault_.empty() && groups_.empty()) {
      failed(fault_);
      return;
    }
    std::vector<TargetGroup> all;
    for (const auto& [key, groups] : groups_) all.insert(all.end(), groups.begin(), groups.end());
    fault_.empty() ? found(std::move(all)) : found_in_part(std::move(all), fault_);
  }

  std::vector<TargetGroup> groups_of(const std::string& name, const std::vector<DnsRecord>& records) const {
    std::vector<TargetGroup> groups;
    for (const DnsRecord& record : records) {
      TargetGroup& group = groups.emplace_back();
      group.labels.set("__meta_dns_name", name);
      int port = config_.port;
      switch (config_.type) {
        case DnsRecordType::srv:
          port = record.port;
          group.labels.set("__meta_dns_srv_record_target", record.target + ".");
          group.labels.set("__meta_dns_srv_record_port", std::to_string(port));
          break;
        case DnsRecordType::mx:
          group.labels.set("__meta_dns_mx_record_target", record.target + ".");
          break;
        case DnsRecordType::ns:
          group.labels.set("__meta_dns_ns_record_target", record.target + ".");
          break;
        default:
          break;
      }
      group.targets.push_back(address_of(record.target, port));
    }
    return groups;
  }

  DnsDiscoveryConfig config_;
  std::map<std::string, std::vector<TargetGroup>> groups_;  ///< by name; those that failed keep theirs
  std::size_t missing_ = 0;
  std::string fault_;
};

}  // namespace

std::shared_ptr<Discovery> make_dns_discovery(DnsDiscoveryConfig config, DiscoveryContext& context) {
  return std::make_shared<DnsDiscovery>(std::move(config), context);
}

}  // namespace pipit
