package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestParseWhatIf(t *testing.T) {
	tests := map[string]struct {
		down            []string
		weights, policy string
		want            *v1alpha1.WhatIf
		wantError       string
	}{
		"nothing is supposed":        {},
		"targets, each once":         {down: []string{"heata", "cloud", "heata"}, want: &v1alpha1.WhatIf{TargetsDown: []string{"heata", "cloud"}}},
		"a policy":                   {policy: "greenest", want: &v1alpha1.WhatIf{Policy: "greenest"}},
		"weights, zero if not named": {weights: "cost=1, carbon=0", want: &v1alpha1.WhatIf{Weights: &v1alpha1.Weights{Cost: 1}}},
		"weights that are negative":  {weights: "cost=-1", wantError: `cost cannot be "-1"`},
		"weights that are too large": {weights: "cost=101", wantError: "0 to 100"},
		"weights that are fractions": {weights: "cost=0.5,carbon=0.5", wantError: "whole numbers"},
		"weights that are all zero":  {weights: "cost=0,carbon=0,capacity=0", wantError: "all are zero"},
		"a weight of something else": {weights: "cost=1,latency=1", wantError: `"latency=1" is no weight`},
		"a weight given twice":       {weights: "cost=1,cost=2", wantError: `"cost=2" is no weight`},
		"no weights at all":          {weights: "greenest", wantError: `"greenest" is no weight`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseWhatIf(test.down, test.weights, test.policy)
			if test.wantError != "" {
				require.ErrorContains(t, err, test.wantError)
				return
			}
			require.NoError(t, err)
			assert.Empty(t, cmp.Diff(test.want, got))
		})
	}
}

const (
	podManifest     = "kind: Pod\nmetadata: {name: web, namespace: shop, uid: abc, annotations: {a: b}}\nspec: {containers: [{name: main}]}\n"
	configManifest  = "kind: ConfigMap\nmetadata: {name: conf}\n"
	jobManifest     = "kind: Job\nmetadata: {name: import}\nspec: {template: {spec: {containers: [{name: main}]}}}\n"
	cronManifest    = "kind: CronJob\nmetadata: {name: nightly}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: main}]}}}}}\n"
	daemonManifest  = "kind: DaemonSet\nmetadata: {name: agent}\nspec: {template: {spec: {containers: [{name: main}]}}}\n"
	rolloutManifest = "kind: Rollout\nmetadata: {name: canary}\nspec: {template: {spec: {containers: [{name: main}]}}}\n"
	claimsManifest  = "kind: StatefulSet\nmetadata: {name: db}\nspec: {volumeClaimTemplates: [{metadata: {name: data}}], template: {spec: {containers: [{name: main}]}}}\n"
)

func TestReadWorkload(t *testing.T) {
	tests := map[string]struct{ manifest, want, wantError string }{
		"a Pod":                               {manifest: podManifest, want: "pod/web"},
		"a Job":                               {manifest: jobManifest, want: "job/import"},
		"a CronJob":                           {manifest: cronManifest, want: "cronjob/nightly"},
		"a StatefulSet":                       {manifest: claimsManifest, want: "statefulset/db"},
		"a kind that nobody here knows":       {manifest: rolloutManifest, want: "rollout/canary"},
		"one workload among other objects":    {manifest: configManifest + "---\n" + jobManifest, want: "job/import"},
		"one workload in a List":              {manifest: "kind: List\nitems:\n- {kind: Pod, metadata: {name: web}, spec: {}}\n", want: "pod/web"},
		"several workloads":                   {manifest: jobManifest + "---\n" + podManifest, wantError: "has 2 workloads (job/import, pod/web): give one at a time"},
		"no workload":                         {manifest: configManifest, wantError: "has no workload"},
		"nothing":                             {wantError: "has no workload"},
		"a DaemonSet":                         {manifest: daemonManifest, wantError: "never leave it"},
		"what is no YAML":                     {manifest: "{", wantError: "is no manifest"},
		"a text":                              {manifest: "web", wantError: "is no manifest"},
		"a template that is not an object":    {manifest: "kind: Job\nmetadata: {name: x}\nspec: {template: many}\n", wantError: "has no workload"},
		"a Job whose containers are a number": {manifest: "kind: Job\nspec: {template: {spec: {containers: 3}}}\n", wantError: "has no workload"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := readWorkload("-", strings.NewReader(test.manifest))
			if test.wantError != "" {
				require.ErrorContains(t, err, test.wantError)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, got.String())
		})
	}
	file := filepath.Join(t.TempDir(), "pod.yaml")
	require.NoError(t, os.WriteFile(file, []byte(podManifest), 0o600))
	got, err := readWorkload(file, nil)
	require.NoError(t, err)
	assert.Equal(t, "shop", got.namespace)
}

func TestThePodOfAWorkloadHasWhatANewOneMayHave(t *testing.T) {
	read, err := readWorkload("-", strings.NewReader(podManifest))
	require.NoError(t, err)
	want := map[string]any{"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{"namespace": "shop", "generateName": "web-", "annotations": map[string]any{"a": "b"}},
		"spec":     map[string]any{"containers": []any{map[string]any{"name": "main"}}}}
	assert.Empty(t, cmp.Diff(want, read.pod().Object))

	read, err = readWorkload("-", strings.NewReader(claimsManifest))
	require.NoError(t, err)
	assert.Empty(t, cmp.Diff([]any{map[string]any{"name": "data", "persistentVolumeClaim": map[string]any{"claimName": "data-db-0"}}},
		read.pod().Object["spec"].(map[string]any)["volumes"]))
}
