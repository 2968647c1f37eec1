package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

const (
	maxWeight   = 100
	goodWeights = "write them like cost=1,carbon=0,capacity=0, whole numbers from 0 to 100, at least one of them positive"
)

// parseWhatIf returns nil when nothing is supposed.
func parseWhatIf(down []string, weights, policy string) (*v1alpha1.WhatIf, error) {
	if len(down) == 0 && weights == "" && policy == "" {
		return nil, nil
	}
	w := &v1alpha1.WhatIf{TargetsDown: unique(down), Policy: policy}
	if weights == "" {
		return w, nil
	}
	parsed, err := parseWeights(weights)
	if err != nil {
		return nil, err
	}
	w.Weights = parsed
	return w, nil
}

// parseWeights reads "cost=1,carbon=0"; what is not named is 0.
func parseWeights(text string) (*v1alpha1.Weights, error) {
	w := &v1alpha1.Weights{}
	fields := map[string]*int32{"cost": &w.Cost, "carbon": &w.Carbon, "capacity": &w.Capacity}
	for part := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		field := fields[name]
		if !ok || field == nil {
			return nil, fmt.Errorf("--weights %s: %q is no weight: %s", text, part, goodWeights)
		}
		delete(fields, name) // so that a second one is refused
		n, err := strconv.ParseInt(value, 10, 32)
		if err != nil || n < 0 || n > maxWeight {
			return nil, fmt.Errorf("--weights %s: %s cannot be %q: %s", text, name, value, goodWeights)
		}
		*field = int32(n)
	}
	if w.Cost+w.Carbon+w.Capacity == 0 {
		return nil, fmt.Errorf("--weights %s: all are zero, so no place is better than another: %s", text, goodWeights)
	}
	return w, nil
}

func unique(names []string) []string {
	var kept []string
	seen := map[string]bool{}
	for _, name := range names {
		if !seen[name] {
			kept = append(kept, name)
		}
		seen[name] = true
	}
	return kept
}
