#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/http_client_config.h"
#include "delivery/integration.h"
#include "delivery/redaction.h"
#include "scrape/http_client.h"
#include "scrape/secret_file.h"
#include "template/value.h"

namespace pipit {

/// What integrations have in common that tell by one POST of JSON.
class HttpIntegration : public Integration {
 public:
  ~HttpIntegration() override;
  bool sends_resolved() const override { return sends_resolved_; }
  void notify(NotificationPtr notification, std::function<void(DeliveryOutcome)> done) override;
  void cancel() override;

 protected:
  struct Message {
    std::string url;  ///< a secret: it is in no message
    std::string body;
    std::string authorization;         ///< "Bearer TOKEN", or ""
    std::vector<std::string> secrets;  ///< what else is in no message
  };
  struct Answer {
    unsigned status = 0;
    std::string content_type;
    std::string body;
    std::string retry_after;  ///< the header
  };

  HttpIntegration(const IntegrationContext& context, bool sends_resolved, const HttpClientConfig& http,
                  DurationMs timeout);

  /// What is to be said. Errors: as templates and files of secrets have them.
  virtual Result<Message> compose(const Notification& notification) = 0;
  /// How an answer is meant.
  virtual DeliveryOutcome judge(const Answer& answer) const;

  const IntegrationContext& context() const { return context_; }
  /// The texts of settings, of which the first that fails is remembered: ask `failed` when all are expanded.
  class Texts {
   public:
    Texts(const IntegrationContext& context, const Notification& notification);
    std::string plain(const std::string& text);
    std::string html(const std::string& text);
    const Status& failed() const { return failed_; }

   private:
    std::string take(Result<std::string> text);
    const NotificationTemplates& templates_;
    TemplateValue data_;
    TimestampMs now_;
    Status failed_;
  };

 private:
  struct Life {
    bool ended = false;
  };
  void finish_later(DeliveryOutcome outcome);
  void answered(FetchResult result);
  void redact_credentials();

  IntegrationContext context_;
  bool sends_resolved_;
  DurationMs timeout_;
  HttpClientConfig http_;
  std::shared_ptr<HttpFetcher> fetcher_;  ///< from the first notification on
  std::shared_ptr<HttpAccess> access_;
  FetchRequest request_;
  HttpUrl url_;
  Redaction redaction_;
  std::function<void(DeliveryOutcome)> done_;
  std::uint64_t run_ = 0;
  std::shared_ptr<Life> life_ = std::make_shared<Life>();
};

/// Seconds of a Retry-After header; nothing when there are none.
std::optional<DurationMs> parse_retry_after(const std::string& text);

/// A secret's text. Errors: as Secret::read.
Result<std::string> read_secret(Secret& secret);

}  // namespace pipit
