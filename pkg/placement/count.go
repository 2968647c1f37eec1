package placement

import (
	"fmt"
	"slices"
	"strings"
)

// Count puts reasons and how many nodes gave them in one line, as Kubernetes does.
func Count(reasons map[string]int) string {
	words := make([]string, 0, len(reasons))
	for reason, times := range reasons {
		words = append(words, fmt.Sprintf("%d %s", times, reason))
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}
