package main

import "os/exec"

// killWhole leaves the end of a command to package exec: Windows has no process groups to kill.
func killWhole(*exec.Cmd) {}
