#pragma once

#include "model/sample.h"
#include "template/template.h"

namespace pipit {

/// The functions that Alertmanager adds to Go's, as of 0.28, and `safeUrl`, `list`, `append` and `dict` of later ones.
/// `html`: for templates that an HtmlEscaper watches, where what `html` and `urlquery` make is not escaped again.
TemplateFunctions notification_functions(TimestampMs now, bool html);

}  // namespace pipit
