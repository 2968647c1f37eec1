// Package e2e tests Spillway as its users meet it: on a fleet of real control planes with simulated nodes. What enters is
// the fleet of fleet.yaml, started once by TestMain; what leaves is each scenario's verdict, and the tail of the controllers'
// logs when one of them failed. One scenario is in one file, whose name says it.
//
//	SPILLWAY_E2E=1 go test ./e2e                       starts a fleet, runs every scenario, ends the fleet
//	SPILLWAY_E2E=1 SPILLWAY_E2E_FLEET=DIR go test ...  starts the fleet in DIR, or uses the one that runs there, and
//	                                                   leaves it running: for whoever writes a scenario
//
// Scenarios that end the controller run one after another; all others run side by side, each in namespaces of its own, and
// leave the Targets of the fleet alone. A scenario that needs a Target to change has the cluster "spare" to itself; the one
// with real containers has a fleet of its own, and is skipped where fleet.CheckContainerd says why there can be none.
package e2e
