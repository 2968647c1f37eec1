package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/spillway-dev/spillway/pkg/fleet"
)

func newDownCommand(streams genericiooptions.IOStreams) *cobra.Command {
	var name, dir string
	cmd := &cobra.Command{
		Use:   "down",
		Short: "End the clusters that up started, and remove what it made",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if dir == "" {
				if dir, err = fleet.DefaultDir(name); err != nil {
					return err
				}
			}
			err = fleet.Down(cmd.Context(), dir, streams.ErrOut)
			if fleet.IsNotFound(err) {
				// What was asked for is so already; a script that cleans up must not fail.
				_, err = fmt.Fprintf(streams.ErrOut,
					"%v: nothing to do. A fleet that was started with --dir is ended with the same.\n", err)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&name, "name", fleet.DefaultName, "name of the fleet")
	cmd.Flags().StringVar(&dir, "dir", "", "folder of the fleet, if it was started with --dir")
	cmd.MarkFlagsMutuallyExclusive("name", "dir")
	return cmd
}
