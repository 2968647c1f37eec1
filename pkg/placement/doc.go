// Package placement decides where a pod goes by what an hour of it costs, what it emits and how much room it leaves.
//
// In go a pod's requests (RequestOf), the signals of every place that can run it (Signals: price, carbon intensity,
// energy model) and a policy (Compile). EstimateFor turns the first two into cost, watts and grams per hour,
// Policy.Admit says which places may be used at all, and Policy.Rank scores those together, from 0 to 100. Out comes a
// Record, the annotation with which the pod is bound and from which it can be explained later.
//
// The package is pure: no client, no clock, no randomness; the same input gives the same output. The formulas, their
// defaults and worked examples are in docs/signals.md, which the tests check.
package placement
