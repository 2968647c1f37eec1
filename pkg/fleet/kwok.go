package fleet

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"text/template"
	"time"
)

// stages are what kwok does to nodes and pods, copied from its own module.
//
//go:embed kwok/*.yaml
var stages embed.FS

// kwokConfig: 16 pods are played at once, because with the default 4 kwok would be what a burst of pods is measured by.
// Every container of every pod has the same log. What is left out is zero, not kwok's documented default.
var kwokConfig = template.Must(template.New("kwok").Parse(`apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokConfiguration
options:
  cidr: 10.244.0.1/16
  podPlayStageParallelism: 16
  nodePlayStageParallelism: 4
  nodeLeaseParallelism: 4
  podsOnNodeSyncParallelism: 4
  enableDebuggingHandlers: true
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterLogs
metadata:
  name: simulated
spec:
  logs:
  - logsFile: {{.Log}}
    previousLogsFile: {{.Previous}}
`))

// kwokNodes is a cluster whose nodes kwok simulates; without nodes it is a control plane only.
type kwokNodes struct{ *cluster }

func (k *kwokNodes) prepare() error {
	return k.cluster.prepare(
		func(ca *authority) error { return k.user(ca, kwok, "kwok", mastersGroup) },
		func(*authority) error { return k.writeKwokConfig() },
	)
}

func (k *kwokNodes) start(ctx context.Context) error {
	var beside []component
	if len(k.Nodes) > 0 {
		beside = []component{k.kwok()}
	}
	if err := k.startControlPlane(ctx, beside...); err != nil {
		return err
	}
	client, err := k.kube()
	if err != nil {
		return err
	}
	if err := k.createNodes(ctx, client); err != nil {
		return err
	}
	return k.waitUsable(ctx, client)
}

func (k *kwokNodes) components() []component { return append(k.controlPlane(), k.kwok()) }

// remove has nothing to do: simulated nodes leave nothing behind.
func (k *kwokNodes) remove(context.Context) error { return nil }

// kwok runs the nodes and is their kubelet API, for logs. It manages only the nodes that createNodes labels: a source's
// virtual nodes are not its.
func (c *cluster) kwok() component {
	return component{name: kwok, ready: c.health(c.Kwok), ca: c.file("ca.crt"), args: []string{
		"--config=" + filepath.Join(c.dir, "kwok.yaml"), "--kubeconfig=" + c.kubeconfigOf(kwok),
		"--manage-all-nodes=false", "--manage-nodes-with-label-selector=" + kwokLabel + "=" + kwok,
		"--node-lease-duration-seconds=40",
		"--node-ip=" + loopback, "--node-port=" + strconv.Itoa(c.Kwok), "--server-address=" + address(c.Kwok),
		"--tls-cert-file=" + c.file("serving.crt"), "--tls-private-key-file=" + c.file("serving.key"),
	}}
}

// writeKwokConfig writes kwok's configuration, and the logs that simulated containers have. They are in a folder of their
// own, because kwok watches it for everyone who follows a log.
func (c *cluster) writeKwokConfig() error {
	logs := filepath.Join(c.dir, "containers")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return fmt.Errorf("making the folder of containers' logs: %w", err)
	}
	files := struct{ Log, Previous string }{filepath.Join(logs, "container.log"), filepath.Join(logs, "previous.log")}
	var config bytes.Buffer
	if err := kwokConfig.Execute(&config, files); err != nil {
		return err
	}
	if err := appendStages(&config); err != nil {
		return err
	}
	for file, data := range map[string][]byte{
		filepath.Join(c.dir, "kwok.yaml"): config.Bytes(),
		files.Log: containerLog(
			fmt.Sprintf("hello from cluster %s", c.Name),
			"this container is simulated by kwok: no program runs in it",
			"its log is the same in every pod of this cluster",
		),
		files.Previous: containerLog(fmt.Sprintf("hello from an earlier, simulated container in cluster %s", c.Name)),
	} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return fmt.Errorf("writing %s: %w", file, err)
		}
	}
	return nil
}

func appendStages(config *bytes.Buffer) error {
	files, err := stages.ReadDir("kwok")
	if err != nil {
		return err
	}
	for _, file := range files {
		stage, err := stages.ReadFile("kwok/" + file.Name())
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(config, "---\n%s", stage)
	}
	return nil
}

// containerLog writes lines as a container runtime does: time, stream, whole line, text.
func containerLog(lines ...string) []byte {
	var log bytes.Buffer
	for _, line := range lines {
		_, _ = fmt.Fprintf(&log, "%s stdout F %s\n", time.Now().UTC().Format(time.RFC3339Nano), line)
	}
	return log.Bytes()
}
