package safety

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	"pgregory.net/rapid"
)

// empty deletes the accounts that are ours, as an administrator does who resets an application.
func (h inApplication) empty() {
	for _, a := range h.inventory().accounts {
		if a.external == "" || h.watch.foreign[a.id]+h.watch.strangers[a.id] != "" {
			continue
		}
		h.front.Delete(h.t, "/Users/"+a.id)
		h.watch.free(a.id)
	}
	for _, id := range h.users {
		h.drift[id] = true
	}
	h.note("the application is emptied")
}

// setClock has this machine's clock jump, in either direction or back to what it should be.
func (h *history) setClock() {
	h.skew = rapid.SampledFrom([]time.Duration{0, time.Hour, 60 * 24 * time.Hour, 400 * 24 * time.Hour, -3 * time.Hour, -90 * 24 * time.Hour}).Draw(h.rt, "skew")
	h.note("the clock is %v off", h.skew)
}

// backUp keeps copies of the state's files, as of a stopped process.
func (h *history) backUp() {
	h.stopped(func() {
		files, err := filepath.Glob(filepath.Join(h.dir, "*.db"))
		if err != nil {
			h.t.Fatal(err)
		}
		h.copies = map[string][]byte{}
		for _, file := range files {
			if h.copies[filepath.Base(file)], err = os.ReadFile(file); err != nil {
				h.t.Fatal(err)
			}
		}
	})
	h.note("the state is backed up")
}

// restoreState puts one of the copies, or all, in the place of what is used.
func (h *history) restoreState() {
	if len(h.copies) == 0 {
		return
	}
	tenant := filepath.Base(h.tenantFile())
	which := rapid.SampledFrom([][]string{{tenant}, {"registry.db"}, {tenant, "registry.db"}}).Draw(h.rt, "files")
	h.stopped(func() {
		for name, text := range h.copies {
			if !slices.Contains(which, name) {
				continue
			}
			if err := os.WriteFile(filepath.Join(h.dir, name), text, 0o600); err != nil {
				h.t.Fatal(err)
			}
		}
	})
	h.watch.restored = true
	h.note("%v are restored", which)
}

// stopped does something to the state while no process uses it.
func (h *history) stopped(do func()) {
	if err := h.store.Close(); err != nil {
		h.t.Fatal(err)
	}
	do()
	h.openClients()
	h.openState()
}
