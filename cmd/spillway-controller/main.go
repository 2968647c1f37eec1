// Command spillway-controller is the one component that is installed, in the source cluster: scheduler, virtual nodes,
// mirror and kubelet API in one process. This package only wires them together.
package main

import (
	"fmt"
	"os"
	"runtime/debug"

	ctrl "sigs.k8s.io/controller-runtime"
)

// gcPercent lets the heap grow to three times what is live before it is collected, where GOGC says nothing else: most of what is allocated are
// decoded watch events, which are garbage at once, and the processor is dearer here than 100 MiB.
const gcPercent = 200

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if err := newCommand().ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}
