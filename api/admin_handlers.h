#pragma once

#include "api/http_message.h"
#include "storage/store.h"

namespace pipit {

// Handlers of /api/v1/admin/tsdb. All are thread-safe.

HttpResponse handle_delete_series(Store& store, const HttpRequest& request);
HttpResponse handle_clean_tombstones(Store& store);
HttpResponse handle_snapshot(Store& store, const HttpRequest& request);

/// Whether a browser sent this for a page that is not Pipit's own: what changes or ends something must not be open to
/// any page that somebody who can reach Pipit happens to look at. Other clients do not say where they come from.
bool is_cross_site(const HttpRequest& request);

}  // namespace pipit
