package emulator

import (
	"slices"
	"strconv"
)

var (
	one     = 1
	hundred = 100
)

// paging returns the query parameters that every list takes.
func paging(limit int) []field {
	return []field{
		optional("after", anyUUID, nil),
		optional("before", anyUUID, nil),
		optional("page", within(anyInteger, &one, nil), nil),
		optional("limit", within(anyInteger, &one, &hundred), integer(strconv.Itoa(limit))),
		optional("order", oneOf("literal_error", "asc", "desc"), "desc"),
	}
}

// paginate returns the page of list that the query asks for. The list is ordered oldest first.
func paginate[T any](query object, list []T, id func(T) string, view func(T) object) response {
	after, before := query.text("after"), query.text("before")
	pageParam, _ := query.get("page")
	limitParam, _ := query.get("limit")
	page, byPage := pageParam.(integer)
	limit := limitParam.(integer).clamp()

	asked := 0
	for _, given := range []bool{after != nil, before != nil, byPage} {
		if given {
			asked++
		}
	}
	if asked > 1 {
		return refusal(422, "INVALID_PAGINATION_PARAMETERS", "Only one of after, before and page can be used")
	}
	list = slices.Clone(list)
	if query.str("order") == "desc" {
		slices.Reverse(list)
	}

	from, to, more := 0, min(limit, len(list)), len(list) > limit
	current, total := any(nil), any(nil)
	switch {
	case after != nil || before != nil:
		cursor := after
		if cursor == nil {
			cursor = before
		}
		at := slices.IndexFunc(list, func(item T) bool { return id(item) == *cursor })
		if at < 0 {
			return refusal(422, "INVALID_PAGINATION_PARAMETERS", "The cursor "+*cursor+" is not in this list")
		}
		if after != nil {
			from, to = at+1, min(at+1+limit, len(list))
			more = to < len(list)
		} else {
			from, to = max(0, at-limit), at
			more = from > 0
		}
	case byPage:
		pages := (len(list) + limit - 1) / limit
		current, total = page, pages
		n := min(page.clamp()-1, pages) // a page past the end is read as the empty one after the last
		from, to = min(n*limit, len(list)), min((n+1)*limit, len(list))
		more = to < len(list)
	}

	return jsonResponse(200, append(items(list[from:to], id, view),
		member{"has_more", more},
		member{"current_page", current},
		member{"total_pages", total},
	))
}

// items returns what a page says of the items on it.
func items[T any](page []T, id func(T) string, view func(T) object) object {
	data := make([]any, 0, len(page))
	for _, item := range page {
		data = append(data, view(item))
	}
	first, last := any(nil), any(nil)
	if len(page) > 0 {
		first, last = id(page[0]), id(page[len(page)-1])
	}
	return object{{"data", data}, {"first_id", first}, {"last_id", last}}
}

// keep returns the items for which wanted returns true.
func keep[T any](list []T, wanted func(T) bool) []T {
	var out []T
	for _, item := range list {
		if wanted(item) {
			out = append(out, item)
		}
	}
	return out
}
