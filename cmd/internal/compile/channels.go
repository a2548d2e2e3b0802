package compile

import (
	"fmt"
	"net/mail"
	"strings"

	"entrasync/configs"
)

// channels finds what the channels for reports lack.
func channels(cfg *configs.Config) (faults configs.Faults) {
	if cfg.Notify == nil {
		return nil
	}
	for _, channel := range cfg.Notify.Channels {
		if key, message := channelFault(cfg, &channel.Value); key != "" {
			path := []string{"notify", "channels", channel.Name}
			whole := strings.Join(append(path, key), ".")
			faults = append(faults, configs.Fault{Position: cfg.Position(path...), Key: whole, Message: whole + " " + message})
		}
	}
	return faults
}

// channelFault says what a channel lacks, "" when nothing; key is the key that it lacks.
func channelFault(cfg *configs.Config, c *configs.Channel) (key, message string) {
	for _, name := range c.Tenants {
		if _, known := cfg.Tenants.Get(name); !known && len(cfg.Tenants) > 0 && cfg.Consent == nil {
			return "tenants", fmt.Sprintf("names %q, which is no tenant", name)
		}
	}
	switch {
	case c.Type != "smtp" && c.URL.IsZero():
		return "url", "is missing: where messages of type " + c.Type + " are posted to"
	case c.Type != "webhook" && !c.Secret.IsZero():
		return "secret", "is for type webhook only"
	case c.Type != "smtp":
		return "", ""
	case c.Host == "":
		return "host", "is missing: the mail server and its port"
	case c.From == "":
		return "from", "is missing: the sender"
	case len(c.To) == 0:
		return "to", "is missing: the recipients"
	}
	for _, address := range append([]string{c.From}, c.To...) {
		if _, err := mail.ParseAddress(address); err != nil {
			return "to", fmt.Sprintf("%q is no mail address", address)
		}
	}
	return "", ""
}
