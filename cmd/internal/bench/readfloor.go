package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"

	"entrasync/graphsync"
	"entrasync/reconcile"
)

// readFloor is the child process that does what a first read cannot do without: it fetches the pages of the same
// lists, decodes them, and puts each object, membership and assignment into a file once, in the order
// of keys. It keeps everything in memory until then, which a worker cannot.
func readFloor(dir, url string) (err error) {
	ctx := context.Background()
	source, err := openSource(url)
	if err != nil {
		return err
	}
	syncer, closeState, err := openReader(filepath.Join(dir, "unused"), url)
	if err != nil {
		return err
	}
	if err := closeState(); err != nil {
		return err
	}
	needs := reconcile.RequirementsOf([]*reconcile.Sync{syncer.Sync})
	objects, members, rows := entries{}, entries{}, entries{}
	for _, stream := range []graphsync.Stream{graphsync.Users, graphsync.Groups} {
		properties := needs.UserProperties
		if stream == graphsync.Groups {
			properties = needs.GroupProperties
		}
		for link := ""; ; {
			page, err := source.DeltaPage(ctx, stream, properties, link)
			if err != nil {
				return err
			}
			for i := range page.Changes {
				change := &page.Changes[i]
				var value []byte
				for _, p := range change.Properties {
					value = append(value, p.Value...)
				}
				objects.add(append([]byte{byte(change.Kind)}, change.ID[:]...), value)
				for _, m := range change.Members {
					members.add(slices.Concat(change.ID[:], m.ID[:]), nil)
				}
			}
			if link = page.Next; link == "" {
				break
			}
		}
	}
	app, err := source.App(ctx, clientID)
	if err != nil {
		return err
	}
	_, err = source.Assignments(ctx, app.ID, func(page []graphsync.Assignment) error {
		for _, a := range page {
			rows.add([]byte(a.ID), slices.Concat(a.Principal[:], a.Role[:]))
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Println(source.Traffic().Requests)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	db, err := bbolt.Open(filepath.Join(dir, "floor.db"), 0o600, nil)
	if err != nil {
		return err
	}
	return errors.Join(objects.put(db, "objects"), members.put(db, "members"), rows.put(db, "rows"), db.Close())
}

// entries are keys and values to be put.
type entries [][2][]byte

func (e *entries) add(key, value []byte) { *e = append(*e, [2][]byte{key, value}) }

// perCommit is how many entries share a commit.
const perCommit = 50_000

func (e entries) put(db *bbolt.DB, bucket string) error {
	slices.SortFunc(e, func(a, b [2][]byte) int { return bytes.Compare(a[0], b[0]) })
	for chunk := range slices.Chunk(e, perCommit) {
		err := db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte(bucket))
			if err != nil {
				return err
			}
			b.FillPercent = 0.95
			for _, entry := range chunk {
				if err := b.Put(entry[0], entry[1]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
