#pragma once

#include <map>
#include <string>
#include <vector>

#include "api/http_message.h"
#include "api/server.h"
#include "model/metadata.h"

namespace pipit {

// Handlers of /api/v1 about what targets' pages say besides samples. All are thread-safe.

/// /api/v1/metadata: by metric, what the active targets say of it; of metrics that none of them has, what the store
/// remembers.
HttpResponse handle_metadata(const ServerContext& context, const HttpRequest& request);
/// /api/v1/targets/metadata
HttpResponse handle_target_metadata(const ServerContext& context, const HttpRequest& request);
/// /api/v1/targets/relabel_steps: a job's relabel_configs applied to labels, one step after the other.
HttpResponse handle_relabel_steps(const ServerContext& context, const HttpRequest& request);
/// /api/v1/query_exemplars
HttpResponse handle_query_exemplars(const ServerContext& context, const HttpRequest& request);

using MetadataByMetric = std::map<std::string, std::vector<Metadata>>;

/// What the active targets say of a metric, "" for all, each statement once; of a metric `per_metric` statements at most
/// when that is positive.
MetadataByMetric live_metadata(const ScrapeManager& scraping, const std::string& metric, long per_metric);

}  // namespace pipit
