// Package delegate turns a source pod into its delegate, and a delegate's status into its source pod's. Everything in it
// is a pure function: what enters are pods and the Target's spec, what leaves are pods, statuses and patches. Nothing is
// read, written or remembered here, so all of it can be run at any time and gives the same answer.
//
// # What a delegate keeps, and why
//
// The containers, their images, resources, volumes and policies are the source's. What differs:
//
//   - Labels are kept, so that Services, policies and people in the target find the pod by its app. The labels by which a
//     controller knows its own pods (see identityLabels) are kept under another key: a delegate has no owner in the
//     target, and a ReplicaSet or Job controller adopts any ownerless pod that its selector matches, counts it, and
//     deletes it when it has one too many. Selectors inside the pod follow the change. A bare ReplicaSet or a DaemonSet
//     with a selector as wide as the app label could still adopt a delegate: where a target has such workloads, map the
//     source's namespaces to namespaces of their own. A StatefulSet cannot: it wants a name that ends in a number.
//   - Downward API of name, namespace, UID, service account, single labels and single annotations is the source's. Files
//     with all labels or all annotations (metadata.labels, metadata.annotations) list the delegate's; node name, pod and
//     host addresses are those of where the pod really runs.
//   - Readiness gates stay behind: their conditions are set by controllers of the source, on the source pod. Status
//     takes them into account there.
//   - Service accounts stay behind, with their tokens: a token of the source is worth nothing to an honest target and
//     much to another. The delegate runs as the namespace's default account, without its token.
//   - An annotation records what was sent, so that ChangesOf tells what the source has changed since from what the target
//     has made of it.
//   - Constraints on a label of the Target are decided between targets and dropped; the others choose among the
//     target's nodes and are kept. ClusterView is the other half.
package delegate
