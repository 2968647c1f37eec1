package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// Sequential: other scenarios' Targets are reconciled as well.
func TestBadTargetsAreNotRetriedInAHotLoop(t *testing.T) {
	const during, most = 4 * time.Second, 30 // five Targets, of which each is looked at every few seconds
	s := givenNamespace(t, source, burst)
	for _, kubeconfig := range []string{"", "spoilt"} {
		bad := s.givenTarget(uniqueName("bad"), v1alpha1.TargetSpec{KubeconfigSecretRef: s.givenKubeconfig([]byte(kubeconfig))})
		s.expectTarget(bad, v1alpha1.ConditionReady, metav1.ConditionFalse, "")
	}
	before := reconciles(t)

	expectThroughout(t, during, "few reconciles of Targets", func(context.Context) error {
		if n := reconciles(t) - before; n > most {
			return fmt.Errorf("%.0f reconciles", n)
		}
		return nil
	})
}

// reconciles is how often the first source's controller has looked at a Target or virtual node.
func reconciles(t *testing.T) float64 {
	t.Helper()
	response, err := http.Get(clusters.ControllerMetricsURL(controllerName))
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	sum := 0.0
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if strings.HasPrefix(name, `controller_runtime_reconcile_total{`) {
			n, err := strconv.ParseFloat(value, 64)
			require.NoError(t, err)
			sum += n
		}
	}
	require.Positive(t, sum, "the metric has its name still")
	return sum
}
