package metrics

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// String returns the rule in words, for docs/metrics.md; "" if values are not kept.
func (r rule) String() string {
	switch {
	case r.values == nil && r.until == "":
		return ""
	case r.values == nil:
		return "until " + string(r.until)
	}
	var each []string
	for _, value := range slices.Sorted(maps.Keys(r.values)) {
		each = append(each, fmt.Sprintf("%s: until %s", value, r.values[value]))
	}
	return strings.Join(each, "; ")
}
