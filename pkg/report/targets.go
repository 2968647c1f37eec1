package report

import (
	"cmp"
	"io"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

// Target is one line about a Target. Texts are empty where nothing is known.
type Target struct {
	Name  string                 `json:"name"`
	Ready metav1.ConditionStatus `json:"ready"`
	Nodes int32                  `json:"nodes"`
	// FreeCPU in cores.
	FreeCPU string `json:"freeCPU,omitempty"`
	// FreeMemory in GiB.
	FreeMemory string `json:"freeMemoryGiB,omitempty"`
	// PricePerCoreHour with its currency.
	PricePerCoreHour string `json:"pricePerCoreHour,omitempty"`
	GramsPerKWh      string `json:"gramsPerKWh,omitempty"`
	// Pods are delegates that have not ended.
	Pods int32 `json:"pods"`
	// Reason and Message say why it is not ready.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

// Targets sums up Target objects, by name.
func Targets(objects []v1alpha1.Target) []Target {
	lines := make([]Target, 0, len(objects))
	for i := range objects {
		lines = append(lines, target(&objects[i]))
	}
	slices.SortFunc(lines, func(a, b Target) int { return cmp.Compare(a.Name, b.Name) })
	return lines
}

// WriteTargets writes the table; reasons only when something is not ready.
func WriteTargets(out io.Writer, targets []Target) error {
	t := table{header: []string{"TARGET", "READY", "NODES", "FREE CPU", "FREE MEMORY", "PRICE/CORE-H", "GCO2E/KWH", "PODS"}}
	reasons := slices.ContainsFunc(targets, func(line Target) bool { return line.Ready != metav1.ConditionTrue })
	if reasons {
		t.header = append(t.header, "REASON")
	}
	for _, line := range targets {
		memory := orUnknown(line.FreeMemory)
		if line.FreeMemory != "" {
			memory += "Gi"
		}
		cells := []string{line.Name, string(line.Ready), strconv.Itoa(int(line.Nodes)), orUnknown(line.FreeCPU), memory,
			orUnknown(line.PricePerCoreHour), orUnknown(line.GramsPerKWh), strconv.Itoa(int(line.Pods))}
		if reasons {
			cells = append(cells, line.why())
		}
		t.add(cells...)
	}
	return t.write(out)
}

func target(object *v1alpha1.Target) Target {
	status := object.Status
	line := Target{
		Name: object.Name, Ready: metav1.ConditionUnknown, Nodes: status.Nodes, Pods: status.Pods,
		PricePerCoreHour: status.Signals.Price, GramsPerKWh: status.Signals.GramsPerKWh,
		Message: "the controller has not looked at it yet: spillway check",
	}
	if free, ok := status.Free[corev1.ResourceCPU]; ok {
		line.FreeCPU = placement.Decimal(free.AsApproximateFloat64())
	}
	if free, ok := status.Free[corev1.ResourceMemory]; ok {
		line.FreeMemory = placement.Decimal(free.AsApproximateFloat64() / (1 << 30))
	}
	if ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady); ready != nil {
		line.Ready, line.Reason, line.Message = ready.Status, ready.Reason, ready.Message
	}
	if line.Ready == metav1.ConditionTrue {
		line.Reason, line.Message = "", ""
	}
	return line
}

func (t Target) why() string {
	if t.Reason == "" {
		return t.Message
	}
	return t.Reason + ": " + t.Message
}
