package main

import (
	"fmt"
	"io"
	"log/slog"
)

// logOptions are the options of the log on standard error.
type logOptions struct {
	format string // text or json
	level  string // empty: that of the command
}

// check refuses what is no format or level.
func (l logOptions) check() error {
	if l.format != "text" && l.format != "json" {
		return fmt.Errorf("--log-format is %q, want text or json", l.format)
	}
	_, err := l.from(slog.LevelWarn)
	return err
}

// from is the lowest level that is logged.
func (l logOptions) from(fallback slog.Level) (slog.Level, error) {
	if l.level == "" {
		return fallback, nil
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.level)); err != nil {
		return fallback, fmt.Errorf("--log-level is %q, want debug, info, warn or error", l.level)
	}
	return level, nil
}

// to returns a log that writes to w. Under systemd lines need no time of their own: the journal has it.
func (l logOptions) to(w io.Writer, fallback slog.Level, journal bool) *slog.Logger {
	level, _ := l.from(fallback) // check has refused what is no level
	options := &slog.HandlerOptions{Level: level}
	if journal {
		options.ReplaceAttr = func(groups []string, attr slog.Attr) slog.Attr {
			if attr.Key == slog.TimeKey && len(groups) == 0 {
				return slog.Attr{}
			}
			return attr
		}
	}
	if l.format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// logger writes to standard error, at the level of the command unless the user chose one.
func (a *app) logger(fallback slog.Level) *slog.Logger {
	_, journal := a.env("JOURNAL_STREAM")
	return a.log.to(a.err, fallback, journal)
}
