package snapshot

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"entrasync/state"
)

const (
	// listsAtOnce is how many lists of users are read at the same time.
	listsAtOnce = 8
	// usersPerPage is how many users a page of a list has.
	usersPerPage = 999
	// smallPart is the size below which a part is never divided.
	smallPart = 3 * usersPerPage
	// countLimit bounds the requests that count. A directory whose names are so alike that it does not suffice is
	// listed in large parts.
	countLimit = 600
)

// principalLetters are what a user principal name can begin with, and principalMarks what follows in addition
// (user resource type, userPrincipalName: A-Z a-z 0-9 ' . - _ ! # ^ ~), the frequent ones first: once
// the parts add up to the whole, the others are empty.
const (
	principalLetters = "aesmjcdlrtnbkpghfiouvwyzqx0123456789._-'!#^~"
	principalMarks   = "@"
)

// A userCounter counts the users whose user principal name begins with a text.
type userCounter func(ctx context.Context, prefix string) (int, error)

// divide divides the users of a directory into parts that can be listed side by side, the largest first, so
// that no list is much longer than the others together. It returns none where the parts do not add
// up to the whole: then there are names that the lists would not show.
func divide(ctx context.Context, total int, count userCounter) ([]state.Part, error) {
	d := divider{count: count, left: countLimit}
	parts, err := d.children(ctx, "", total)
	if err != nil || parts == nil {
		return nil, err
	}
	limit := max(smallPart, total/listsAtOnce)
	for {
		slices.SortStableFunc(parts, func(a, b state.Part) int { return cmp.Compare(b.Count, a.Count) })
		at := slices.IndexFunc(parts, func(p state.Part) bool { return p.Count > limit && !p.Done })
		if at < 0 || d.left < len(principalLetters) {
			break
		}
		smaller, err := d.children(ctx, parts[at].Prefix, parts[at].Count)
		if err != nil {
			return nil, err
		}
		if smaller == nil {
			parts[at].Done = true // it stays whole
			continue
		}
		parts = append(slices.Delete(parts, at, at+1), smaller...)
	}
	for i := range parts {
		parts[i].Done = false
	}
	return parts, nil
}

// A divider is divide at work.
type divider struct {
	count userCounter
	left  int // requests
}

// children divides the users that begin with prefix by what follows. It returns none when the parts do not
// add up to the total.
func (d *divider) children(ctx context.Context, prefix string, total int) (parts []state.Part, err error) {
	letters := principalLetters
	if prefix != "" {
		letters += principalMarks
	}
	sum := 0
	for next := range slices.Chunk([]byte(letters), listsAtOnce) {
		counts := make([]int, len(next))
		group, ctx := errgroup.WithContext(ctx)
		for i, letter := range next {
			group.Go(func() (err error) {
				counts[i], err = d.count(ctx, prefix+string(letter))
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return nil, fmt.Errorf("count users that begin with %q: %w", prefix, err)
		}
		d.left -= len(next)
		for i, n := range counts {
			if sum += n; n > 0 {
				parts = append(parts, state.Part{Prefix: prefix + string(next[i]), Count: n})
			}
		}
		if sum == total {
			return parts, nil
		}
	}
	return nil, nil
}
