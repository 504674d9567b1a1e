#include "tools/check_alertmanager.h"

#include <cstdio>
#include <map>
#include <set>
#include <variant>

#include "config/suggestion.h"
#include "delivery/delivery_config.h"
#include "delivery/notification_templates.h"
#include "model/duration.h"
#include "scrape/secret_file.h"
#include "scrape/tls.h"
#include "tools/sample_notification.h"

namespace pipit {

const char* const kCheckAlertmanagerUsage =
    "usage: pipit check alertmanager [OPTIONS] FILE...\n"
    "\n"
    "Reads configurations of Alertmanager as `pipit serve --alertmanager.config.file` would, and says of each whether\n"
    "it loads, with line and column of what is wrong, which receivers it has, and what it is warned of: templates "
    "that\n"
    "fail with an alert as example, and receivers that no route names. Files of secrets and certificates must be "
    "there.\n"
    "\n"
    "  --syntax-only  does not look at the files of secrets and certificates\n"
    "\n"
    "exit codes: 0 all load, 1 one is refused, 2 wrong usage\n";

namespace {

constexpr int kFileRefused = 1;
constexpr int kWrongUsage = 2;

const char* kind_name(const IntegrationConfig& integration) {
  static constexpr const char* kNames[] = {"email", "webhook", "slack", "telegram", "discord"};
  return kNames[integration.index()];
}

const TlsConfig& tls_of(const IntegrationConfig& integration) {
  return std::visit(
      [](const auto& config) -> const TlsConfig& {
        if constexpr (std::is_same_v<std::decay_t<decltype(config)>, EmailConfig>) {
          return config.tls;
        } else {
          return config.http.tls;
        }
      },
      integration);
}

void collect_receivers(const RouteConfig& route, std::set<std::string>& used, std::size_t& routes) {
  used.insert(route.receiver);
  ++routes;
  for (const RouteConfig& child : route.routes) collect_receivers(child, used, routes);
}

/// "2 emails, webhook" is what a receiver tells by.
std::string described(const ReceiverConfig& receiver) {
  std::map<std::string, int> counts;
  for (const IntegrationConfig& each : receiver.integrations) ++counts[kind_name(each)];
  std::string text;
  for (const auto& [kind, count] : counts) {
    text += (text.empty() ? "" : ", ") + (count > 1 ? std::to_string(count) + " " : "") + kind;
  }
  return text.empty() ? "nobody" : text;
}

std::vector<std::string> check_files(const DeliveryConfig& config) {
  std::vector<std::string> faults;
  for (const ReceiverConfig& receiver : config.receivers) {
    const std::string where = "receiver \"" + receiver.name + "\": ";
    for (const std::string& path : named_files(receiver)) {
      Secret secret(SecretSource{{}, path});
      if (const auto text = secret.read(); !text.ok()) faults.push_back(where + text.error().message);
    }
    for (const IntegrationConfig& each : receiver.integrations) {
      const TlsConfig& tls = tls_of(each);
      if (!faults.empty() || tls == TlsConfig()) continue;
      if (const Status loaded = TlsContext(tls).load(); !loaded.ok()) faults.push_back(where + loaded.error().message);
    }
  }
  return faults;
}

/// Expands what receivers say, for an alert as it might be.
void try_templates(const DeliveryConfig& config, std::vector<std::string>& warnings) {
  auto templates = NotificationTemplates::load(config.templates);
  if (!templates.ok()) return;  // the file was refused for it
  for (const ReceiverConfig& receiver : config.receivers) {
    const Notification notification = sample_notification(receiver.name, {}, {}, false);
    const TemplateValue data = NotificationTemplates::data(notification, "http://localhost:9090");
    for (const auto& [key, text] : template_texts(receiver)) {
      const bool html = key == "email_configs.html";
      const auto out = html ? (*templates)->expand_html(text, data, notification.now)
                            : (*templates)->expand(text, data, notification.now);
      if (out.ok()) continue;
      warnings.push_back("receiver \"" + receiver.name + "\": " + key + " fails: " + out.error().message);
    }
  }
}

int check_file(const std::string& path, bool syntax_only) {
  const auto config = load_delivery_config(path);
  if (!config.ok()) {
    std::fprintf(stderr, "%s: FAILED: %s\n", path.c_str(), config.error().message.c_str());
    return kFileRefused;
  }
  const auto faults = syntax_only ? std::vector<std::string>() : check_files(*config);
  for (const std::string& fault : faults) std::fprintf(stderr, "%s: FAILED: %s\n", path.c_str(), fault.c_str());
  if (!faults.empty()) return kFileRefused;
  std::vector<std::string> warnings;
  for (const ConfigWarning& warning : config->warnings) warnings.push_back(warning.message);
  std::set<std::string> used;
  std::size_t routes = 0;
  collect_receivers(config->route, used, routes);
  for (const ReceiverConfig& receiver : config->receivers) {
    if (!used.contains(receiver.name)) warnings.push_back("receiver \"" + receiver.name + "\" is named by no route");
  }
  try_templates(*config, warnings);
  const auto counted = [](std::size_t count, const std::string& noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
  };
  std::printf("%s: SUCCESS: %s, %s, %s, %s\n", path.c_str(), counted(routes, "route").c_str(),
              counted(config->receivers.size(), "receiver").c_str(),
              counted(config->inhibit_rules.size(), "inhibit rule").c_str(),
              counted(config->time_intervals.size(), "time interval").c_str());
  for (const ReceiverConfig& receiver : config->receivers) {
    std::printf("  receiver \"%s\" tells %s\n", receiver.name.c_str(), described(receiver).c_str());
  }
  for (const std::string& warning : warnings) std::printf("  warning: %s\n", warning.c_str());
  return 0;
}

}  // namespace

int check_alertmanager(const std::vector<std::string>& words) {
  const auto wrong_usage = [](const std::string& what) {
    std::fprintf(stderr, "pipit check alertmanager: %s\n\n%s", what.c_str(), kCheckAlertmanagerUsage);
    return kWrongUsage;
  };
  bool syntax_only = false;
  std::vector<std::string> paths;
  for (const std::string& word : words) {
    static constexpr std::string_view kFlags[] = {"--syntax-only"};
    if (word == kFlags[0]) {
      syntax_only = true;
    } else if (word.starts_with('-')) {
      return wrong_usage("unknown flag " + word + suggestion(word, kFlags));
    } else {
      paths.push_back(word);
    }
  }
  if (paths.empty()) return wrong_usage("name a configuration file of Alertmanager");
  int code = 0;
  for (const std::string& path : paths) {
    if (check_file(path, syntax_only) != 0) code = kFileRefused;
  }
  return code;
}

}  // namespace pipit
