//go:build !race

package odata_test

const poolLoss = 1
