// Package safety proves the promises of the whole pipeline: directories, applications and the
// process between them are damaged in every way we know, and then the accounts are compared
// with what the configuration says of the directory. It holds tests only.
//
// They run over the real path: the Graph SDK against the emulator, the state on disk, the SCIM
// adapter against a SCIM server that others wrote. What should be is worked out here once more,
// naively, from what the emulator holds; nothing of reconcile is asked.
//
//   - Random histories, faults and interruptions (history_test.go), more of them with
//     -rapid.checks; what they have found is told in regressions_test.go.
//   - A real process killed at every commit and every call (sweep_test.go); all of them with
//     -sweep.all.
//   - A table of faults: what happened, and that no user was removed (faults_test.go); names,
//     cycles and sizes that no directory should have (hostile_test.go).
//   - Weeks of cycles (soak_test.go), hundreds of tenants in one process (tenants_test.go), state
//     that cannot be written or read (state_test.go), planted secrets (secrets_test.go).
package safety
