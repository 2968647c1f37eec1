// Package usage says what source pods use of processor and memory where they run, for `kubectl top` and autoscaling.
//
// What enters: the delegates behind one virtual node, and what their target tells of its pods when it is asked, by its
// kubelets or by its metrics API. What leaves: a kubelet's summary of the virtual node, with the source's names, of these
// delegates only; whoever else runs in the target is not in it, and neither is what its nodes use.
package usage
