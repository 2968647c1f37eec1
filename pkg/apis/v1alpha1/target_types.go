package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Target describes one cluster that pods may burst to, or the source cluster itself. Nothing is installed in a target.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=tg
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Nodes",type=integer,JSONPath=`.status.nodes`
// +kubebuilder:printcolumn:name="Free CPU",type=string,JSONPath=`.status.free.cpu`
// +kubebuilder:printcolumn:name="Free Memory",type=string,JSONPath=`.status.free.memory`
// +kubebuilder:printcolumn:name="Price/core-h",type=string,JSONPath=`.status.signals.price`
// +kubebuilder:printcolumn:name="gCO2e/kWh",type=string,JSONPath=`.status.signals.gramsPerKWh`
// +kubebuilder:printcolumn:name="Pods",type=integer,JSONPath=`.status.pods`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Version",type=string,priority=1,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 54",message="metadata.name: at most 54 characters, because the virtual node is called spillway-NAME and that is also a label value"
type Target struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   TargetSpec   `json:"spec"`
	Status TargetStatus `json:"status,omitempty"`
}

// TargetList is a list of Targets.
//
// +kubebuilder:object:root=true
type TargetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Target `json:"items"`
}

// TargetSpec is what a platform team says of a target.
//
// +kubebuilder:validation:XValidation:rule="has(self.self) && self.self ? !has(self.kubeconfigSecretRef) : has(self.kubeconfigSecretRef)",message="set exactly one of spec.kubeconfigSecretRef (another cluster) and spec.self: true (the source cluster)"
// +kubebuilder:validation:XValidation:rule="!(has(self.price) && has(self.priceFrom))",message="set spec.price or spec.priceFrom, not both: remove the one that is not meant"
// +kubebuilder:validation:XValidation:rule="!(has(self.carbon) && has(self.carbonFrom))",message="set spec.carbon or spec.carbonFrom, not both: remove the one that is not meant"
type TargetSpec struct {
	// KubeconfigSecretRef names the Secret with the kubeconfig for the target. Exec and auth-provider plugins in it are
	// refused: they would run a program of the kubeconfig's choice inside the controller.
	KubeconfigSecretRef *KubeconfigSecretRef `json:"kubeconfigSecretRef,omitempty"`
	// Self says that this Target is the source cluster: its price and carbon are those of the local nodes.
	Self bool `json:"self,omitempty"`
	// Unschedulable stops new pods from going to the target and moves those that run there away: they are evicted, and
	// PodDisruptionBudgets are respected. Pods without a controller stay. To only stop new pods, kubectl cordon the
	// virtual node.
	Unschedulable bool `json:"unschedulable,omitempty"`
	// Namespaces says which source namespaces may use the target, and where their delegates go.
	// +kubebuilder:default={mapping: Same}
	Namespaces NamespaceMapping `json:"namespaces,omitempty"`
	// NodeSelector is added to every delegate and limits which of the target's nodes count.
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// Tolerations are added to every delegate.
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// Labels are the virtual node's, such as topology.kubernetes.io/region. Pods' constraints on these keys choose
	// between targets; constraints on other keys choose nodes inside a target.
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('spillway.dev/') && k != 'kubernetes.io/hostname' && k != 'type')",message="spec.labels: keys under spillway.dev/, kubernetes.io/hostname and type are set by Spillway: remove them"
	Labels map[string]string `json:"labels,omitempty"`
	// Capacity says how the target's room is known.
	// +kubebuilder:default={from: Nodes}
	Capacity Capacity `json:"capacity,omitempty"`
	// Price is a fixed price.
	Price *Price `json:"price,omitempty"`
	// PriceFrom reads the price from a feed.
	PriceFrom *SignalSource `json:"priceFrom,omitempty"`
	// Carbon is a fixed carbon intensity.
	Carbon *Carbon `json:"carbon,omitempty"`
	// CarbonFrom reads the carbon intensity from a feed.
	CarbonFrom *SignalSource `json:"carbonFrom,omitempty"`
	// Energy is how the target turns work into electricity.
	Energy *Energy `json:"energy,omitempty"`
	// Reservation bounds the wait for the target's scheduler.
	// +kubebuilder:default={timeout: "30s"}
	Reservation Reservation `json:"reservation,omitempty"`
	// Network says whether the target's pod addresses can be reached from the source. Isolated: they are not published.
	// +kubebuilder:validation:Enum=Isolated;Routable
	// +kubebuilder:default=Isolated
	Network Network `json:"network,omitempty"`
	// PodSecurity is how much of the target's nodes pods may ask for, in the words of the Pod Security Standards. Baseline:
	// host namespaces, hostPath volumes, privileged containers and further capabilities are refused. Privileged: they go
	// there, so that who may create such pods in the source has the target's nodes.
	// +kubebuilder:validation:Enum=Baseline;Privileged
	// +kubebuilder:default=Baseline
	PodSecurity PodSecurity `json:"podSecurity,omitempty"`
}

// KubeconfigSecretRef names a kubeconfig in a Secret of the source cluster.
type KubeconfigSecretRef struct {
	// +kubebuilder:validation:MinLength=1
	Namespace string `json:"namespace"`
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`
	// Key in the Secret's data.
	// +kubebuilder:default=kubeconfig
	Key string `json:"key,omitempty"`
	// Context of the kubeconfig; its current-context when empty.
	Context string `json:"context,omitempty"`
}

// NamespaceMapping says which source namespaces may use a target and where their delegates go.
//
// +kubebuilder:validation:XValidation:rule="(self.mapping == 'Prefix') == has(self.prefix)",message="spec.namespaces.prefix is required with mapping Prefix and refused with any other"
// +kubebuilder:validation:XValidation:rule="(self.mapping == 'Fixed') == has(self.name)",message="spec.namespaces.name is required with mapping Fixed and refused with any other"
type NamespaceMapping struct {
	// Selector of the source namespaces that may use the target; all that allow bursting when empty.
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
	// Mapping from the source namespace to the delegate's: Same name, Prefix plus name, or one Fixed name.
	// +kubebuilder:validation:Enum=Same;Prefix;Fixed
	// +kubebuilder:default=Same
	Mapping Mapping `json:"mapping,omitempty"`
	// Prefix for mapping Prefix.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*)$`
	// +kubebuilder:validation:MaxLength=40
	Prefix string `json:"prefix,omitempty"`
	// Name for mapping Fixed.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
	// Create allows Spillway to create the namespace in the target when it is missing.
	Create bool `json:"create,omitempty"`
}

// Mapping of namespaces.
type Mapping string

// The mappings.
const (
	MappingSame   Mapping = "Same"
	MappingPrefix Mapping = "Prefix"
	MappingFixed  Mapping = "Fixed"
)

// Capacity says how a target's room is known.
//
// +kubebuilder:validation:XValidation:rule="(self.from == 'Static') == has(self.static)",message="spec.capacity.static is required with from: Static and refused with any other"
type Capacity struct {
	// From Nodes: watch the target's nodes and pods. Quota: the ResourceQuotas of the one namespace that delegates go to.
	// Static: as declared in static.
	// +kubebuilder:validation:Enum=Nodes;Quota;Static
	// +kubebuilder:default=Nodes
	From CapacitySource `json:"from,omitempty"`
	// Static is the declared room, for from: Static.
	Static corev1.ResourceList `json:"static,omitempty"`
	// Autoscaling says that the target makes nodes for pods that wait: a pod that fits no node may be sent there, after all
	// places that it fits now.
	Autoscaling *Autoscaling `json:"autoscaling,omitempty"`
}

// Autoscaling bounds how many pods wait in a target for nodes that do not exist yet, and how long.
type Autoscaling struct {
	// MaxPendingPods is how many delegates may wait there for a node at a time.
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MaxPendingPods *int32 `json:"maxPendingPods,omitempty"`
	// Timeout after which a delegate for which no node has come is taken back and another place is tried.
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('1h')",message="spec.capacity.autoscaling.timeout is between 1s and 1h"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// CapacitySource is where a target's room is read.
type CapacitySource string

// The capacity sources.
const (
	CapacityNodes  CapacitySource = "Nodes"
	CapacityQuota  CapacitySource = "Quota"
	CapacityStatic CapacitySource = "Static"
)

// Price of one unit of each resource for one hour.
type Price struct {
	// Currency as an ISO 4217 code. Prices in different currencies are not compared.
	// +kubebuilder:validation:Pattern=`^[A-Z]{3}$`
	Currency string `json:"currency"`
	// CPUCoreHour is the price of one CPU core for an hour.
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('0')) >= 0",message="a price is never negative: use 0 or more, such as 20m for 0.020"
	CPUCoreHour resource.Quantity `json:"cpuCoreHour"`
	// MemoryGiBHour is the price of one GiB of memory for an hour.
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('0')) >= 0",message="a price is never negative: use 0 or more, such as 3m for 0.003"
	MemoryGiBHour *resource.Quantity `json:"memoryGiBHour,omitempty"`
	// GPUHour is the price of one GPU, of any vendor's extended resource, for an hour.
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('0')) >= 0",message="a price is never negative: use 0 or more"
	GPUHour *resource.Quantity `json:"gpuHour,omitempty"`
}

// Carbon is the carbon intensity of a target's electricity.
type Carbon struct {
	// GramsPerKWh is grams of CO2 equivalent per kilowatt-hour.
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('0')) >= 0",message="a carbon intensity is never negative: use 0 or more, in grams of CO2e per kWh"
	GramsPerKWh resource.Quantity `json:"gramsPerKWh"`
	// SignalType: Average intensity accounts for what was emitted; Marginal for what one more kWh causes.
	// +kubebuilder:validation:Enum=Average;Marginal
	// +kubebuilder:default=Average
	SignalType SignalType `json:"signalType,omitempty"`
}

// SignalType tells an average from a marginal carbon intensity.
type SignalType string

// The signal types.
const (
	SignalAverage  SignalType = "Average"
	SignalMarginal SignalType = "Marginal"
)

// SignalSource is a feed of a signal.
type SignalSource struct {
	// ConfigMap of the source cluster that holds the signal, kept fresh by whoever knows it.
	ConfigMap ConfigMapSignal `json:"configMap"`
}

// ConfigMapSignal names a key of a ConfigMap; its value is YAML of the same fields as spec.price or spec.carbon, and
// may add validUntil (RFC 3339), after which it is stale.
type ConfigMapSignal struct {
	// +kubebuilder:validation:MinLength=1
	Namespace string `json:"namespace"`
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`
	// +kubebuilder:validation:MinLength=1
	Key string `json:"key"`
}

// Energy is how a target turns work into electricity, and what becomes of the heat. What is absent has the defaults that
// docs/signals.md derives.
type Energy struct {
	// WattsPerCoreIdle is drawn by one idle core.
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('0')) >= 0",message="watts are never negative: use 0 or more"
	WattsPerCoreIdle *resource.Quantity `json:"wattsPerCoreIdle,omitempty"`
	// WattsPerCoreMax is drawn by one fully used core.
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('0')) >= 0",message="watts are never negative: use 0 or more"
	WattsPerCoreMax *resource.Quantity `json:"wattsPerCoreMax,omitempty"`
	// WattsPerGiB is drawn by one GiB of memory.
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('0')) >= 0",message="watts are never negative: use 0 or more"
	WattsPerGiB *resource.Quantity `json:"wattsPerGiB,omitempty"`
	// PUE is the power usage effectiveness of ISO/IEC 30134-2: total energy over IT energy, at least 1.
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('1')) >= 0",message="a power usage effectiveness (ISO/IEC 30134-2) is at least 1"
	PUE *resource.Quantity `json:"pue,omitempty"`
	// EnergyReuseFactor is ISO/IEC 30134-6's: the share of the total energy that is used again, from 0 to 1.
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('0')) >= 0 && quantity(string(self)).compareTo(quantity('1')) <= 0",message="an energy reuse factor (ISO/IEC 30134-6) is between 0 and 1"
	EnergyReuseFactor *resource.Quantity `json:"energyReuseFactor,omitempty"`
	// EmbodiedGramsPerCoreHour is the hardware's own footprint, in grams of CO2e per core and hour.
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('0')) >= 0",message="grams are never negative: use 0 or more"
	EmbodiedGramsPerCoreHour *resource.Quantity `json:"embodiedGramsPerCoreHour,omitempty"`
}

// Reservation bounds the wait for a target's scheduler.
type Reservation struct {
	// Timeout after which a delegate that its target has not scheduled is taken back and another place is tried.
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('10m')",message="spec.reservation.timeout is between 1s and 10m"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// Network says whether a target's pod addresses can be reached from the source.
type Network string

// The networks.
const (
	NetworkIsolated Network = "Isolated"
	NetworkRoutable Network = "Routable"
)

// PodSecurity is how much of a target's nodes pods may ask for.
type PodSecurity string

// The levels of pod security.
const (
	PodSecurityBaseline   PodSecurity = "Baseline"
	PodSecurityPrivileged PodSecurity = "Privileged"
)

// TargetStatus is what Spillway sees of a target.
type TargetStatus struct {
	// Conditions Reachable, Authorized, CapacityKnown, SignalsFresh and Ready, each with a reason and a message to act on;
	// Drained while pods have to go.
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// ObservedGeneration is the spec's generation that this status is of.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Version of the target's API server.
	Version string `json:"version,omitempty"`
	// Nodes that delegates may run on.
	Nodes int32 `json:"nodes,omitempty"`
	// NodeFeatures are those that all of these nodes declare, so that the virtual node can (status.declaredFeatures of a Node).
	// +listType=set
	NodeFeatures []string `json:"nodeFeatures,omitempty"`
	// Pods is the number of this source's delegates that have not ended.
	Pods int32 `json:"pods,omitempty"`
	// Sending: delegates may be on their way to the target, or be there without their pods being bound. It is written before
	// the first is sent, and taken back when no pods are sent there any more and all that were sent are accounted for. A
	// controller that starts while the target cannot be read goes by it: the pods that wait may have been sent.
	Sending bool `json:"sending,omitempty"`
	// Allocatable is the sum over those nodes.
	Allocatable corev1.ResourceList `json:"allocatable,omitempty"`
	// Free is Allocatable less what the pods there request.
	Free corev1.ResourceList `json:"free,omitempty"`
	// Signals in force.
	Signals SignalStatus `json:"signals,omitempty"`
	// RoundTrip to the target's API server, as last measured.
	RoundTrip *metav1.Duration `json:"roundTrip,omitempty"`
}

// SignalStatus shows the signals in force.
type SignalStatus struct {
	// Price of a core hour, with its currency, such as "GBP 0.020".
	Price string `json:"price,omitempty"`
	// PriceValidUntil is when the price becomes stale; a fixed price never does.
	PriceValidUntil *metav1.Time `json:"priceValidUntil,omitempty"`
	// GramsPerKWh of CO2e.
	GramsPerKWh string `json:"gramsPerKWh,omitempty"`
	// CarbonValidUntil is when the carbon intensity becomes stale; a fixed one never does.
	CarbonValidUntil *metav1.Time `json:"carbonValidUntil,omitempty"`
}

// Condition types of a Target.
const (
	ConditionReachable     = "Reachable"
	ConditionAuthorized    = "Authorized"
	ConditionCapacityKnown = "CapacityKnown"
	ConditionSignalsFresh  = "SignalsFresh"
	ConditionReady         = "Ready"
	// ConditionDrained is there while pods have to go: the Target says spec.unschedulable, or is being deleted.
	ConditionDrained = "Drained"
)
