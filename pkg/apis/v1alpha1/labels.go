package v1alpha1

// What users write.
const (
	// LabelBurst on a namespace, with BurstEnabled, allows its elected pods to burst.
	LabelBurst   = "spillway.dev/burst"
	BurstEnabled = "enabled"
	// AnnotationElect on a pod elects it; its value is free.
	AnnotationElect = "spillway.dev/elect"
	// AnnotationPolicy on a pod names the PlacementPolicy of its namespace that places it.
	AnnotationPolicy = "spillway.dev/policy"
	// LabelGroup on pods names the group they belong to: all its pods go to one place, or none goes anywhere. As an
	// annotation of a Job's pod template (AnnotationGroup), whatever its value, the Job's pods are the group.
	LabelGroup      = "spillway.dev/group"
	AnnotationGroup = LabelGroup
	// AnnotationGroupSize on a group's pods, or a label of that key, is how many pods the group has at least: a whole number
	// from 1. A Job's group needs none.
	AnnotationGroupSize = "spillway.dev/group-size"
)

// What Spillway writes on source pods.
const (
	// LabelElected, with ElectedTrue, is set at admission, so that caches can select elected pods.
	LabelElected = "spillway.dev/elected"
	ElectedTrue  = "true"
	// AnnotationPlacement holds the placement.Record, as JSON, with which a pod was bound.
	AnnotationPlacement = "spillway.dev/placement"
	// ConditionUnconfirmedPrefix and a Target's name make the type of the pod condition that is True while that target may
	// have a delegate of a pod that is not bound. It is written only when a delegate could not be taken back.
	ConditionUnconfirmedPrefix = "unconfirmed.spillway.dev/"
)

// What Spillway writes on delegates and on what it ships to targets.
const (
	// LabelSourceCluster is the UID of the source's kube-system namespace: two sources that share a target never collide.
	LabelSourceCluster = "spillway.dev/source-cluster"
	// LabelSourceNamespace is the source pod's namespace.
	LabelSourceNamespace = "spillway.dev/source-namespace"
	// LabelSourceName is the source pod's name, shortened to a label's 63 characters: for people, not for identity.
	LabelSourceName = "spillway.dev/source-name"
	// LabelSourceUID is the source pod's UID: the identity of a delegate.
	LabelSourceUID = "spillway.dev/source-uid"
	// AnnotationSent on a delegate is a record of what was last sent to it, by which the source's changes are told from the
	// target's own.
	AnnotationSent = "spillway.dev/sent"
)

// What Spillway writes on virtual nodes.
const (
	// LabelTarget on a virtual node, and on a delegate, is the Target's name.
	LabelTarget = "spillway.dev/target"
	// LabelNodeType, with NodeTypeVirtual, is what autoscalers and network add-ons key on to leave virtual nodes alone.
	LabelNodeType   = "type"
	NodeTypeVirtual = "virtual-kubelet"
	// TaintProvider, with TaintProviderValue and NoSchedule, keeps pods that are not elected off virtual nodes.
	TaintProvider      = "virtual-kubelet.io/provider"
	TaintProviderValue = "spillway"
	// TaintUnschedulable, with NoSchedule, is on the virtual node of a Target that takes no new pods, so that a spread whose
	// nodeTaintsPolicy is Honor does not count it, as with a node that kubectl has cordoned.
	TaintUnschedulable = "spillway.dev/unschedulable"
	// VirtualNodePrefix and the Target's name make the virtual node's name, so that it cannot meet a real node's.
	VirtualNodePrefix = "spillway-"
)

// SchedulerName is the profile that schedules elected pods; FinalizerDrain keeps a Target until its delegates have ended.
const (
	SchedulerName  = "spillway"
	FinalizerDrain = "spillway.dev/drain"
)

// Aliases: the labels and annotations of published Admiralty and Liqo guides, so that manifests written for them work
// unchanged. This is the only list of them; deploy/admission is checked against it.
var (
	// ElectAnnotations are the pod annotations that elect a pod.
	ElectAnnotations = []string{AnnotationElect, "multicluster.admiralty.io/elect"}
	// BurstLabels are the namespace labels that allow bursting.
	BurstLabels = []BurstLabel{
		{Key: LabelBurst, Value: BurstEnabled},
		{Key: "multicluster-scheduler", Value: "enabled"},
		{Key: "liqo.io/scheduling-enabled", Value: "true"},
	}
)

// BurstLabel is a namespace label that allows bursting.
// +kubebuilder:object:generate=false
type BurstLabel struct{ Key, Value string }

// VirtualNodeName returns the name of the virtual node of the Target of this name.
func VirtualNodeName(target string) string { return VirtualNodePrefix + target }
