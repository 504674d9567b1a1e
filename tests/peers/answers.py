"""Whether two servers' answers to a query are the same, and where they differ."""
import math


# Below 2e-308 numbers have ever fewer digits, and each operation may be off by 5e-324.
SUBNORMAL_TOLERANCE = 1e-321


def same_float(a, b, tolerance):
    """Two values as the API writes them, or numbers; `tolerance` is relative. None stands for the same bits."""
    if a == b or tolerance is None:
        return a == b
    a, b = float(a), float(b)
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or (math.isfinite(a) and math.isfinite(b) and
                      abs(a - b) <= tolerance * max(abs(a), abs(b)) + SUBNORMAL_TOLERANCE)


def same_points(ours, theirs, tolerance):
    return ours == theirs or (len(ours) == len(theirs) and all(
        a[0] == b[0] and same_float(a[1], b[1], tolerance) for a, b in zip(ours, theirs)))


def points_of(series):
    """[[time, value]] of one series of a vector or matrix."""
    return series["values"] if "values" in series else [series["value"]]


def series_of(data):
    """(labels, points) of a vector or matrix, in the answer's order."""
    return [(tuple(sorted(s["metric"].items())), points_of(s)) for s in data["result"]]


def difference(ours, theirs, ordered, tolerance):
    """None, or the first thing that differs between two answers, as text."""
    if ours["status"] != theirs["status"] or ours["status"] != "success":
        return f"{summary(ours)} instead of {summary(theirs)}"
    ours, theirs = ours["data"], theirs["data"]
    if ours["resultType"] != theirs["resultType"]:
        return f"{ours['resultType']} instead of {theirs['resultType']}"
    if ours["resultType"] == "string":
        return None if ours["result"] == theirs["result"] else f"{ours['result']} instead of {theirs['result']}"
    if ours["resultType"] == "scalar":
        same = same_points([ours["result"]], [theirs["result"]], tolerance)
        return None if same else f"{ours['result']} instead of {theirs['result']}"
    ours, theirs = series_of(ours), series_of(theirs)
    if sorted(s[0] for s in ours) != sorted(s[0] for s in theirs):
        extra = {s[0] for s in ours} - {s[0] for s in theirs}
        missing = {s[0] for s in theirs} - {s[0] for s in ours}
        return f"{len(ours)} series instead of {len(theirs)}; unexpected: {list(extra)[:3]}; missing: {list(missing)[:3]}"
    if ordered and [s[0] for s in ours] != [s[0] for s in theirs]:
        return f"order {[s[0] for s in ours]} instead of {[s[0] for s in theirs]}"
    expected = dict(theirs)
    for labels, points in ours:
        if not same_points(points, expected[labels], tolerance):
            different = [(a, b) for a, b in zip(points, expected[labels])
                         if a[0] != b[0] or not same_float(a[1], b[1], tolerance)]
            return f"{dict(labels)}: {len(points)} points instead of {len(expected[labels])}; differ: {different[:3]}"
    return None


def summary(answer):
    return answer["status"] if answer["status"] == "success" else f"{answer.get('errorType')}: {answer.get('error')}"
