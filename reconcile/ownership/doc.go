// Package ownership tells which sync of which tenant an account of an application belongs to, claims accounts, and
// decides whether one may be transferred to another tenant.
//
// A user who moves from one tenant to another has an account in an application that both share. The former tenant
// offers it in the registry when its user is deleted for good and the account is switched off, because no cycle
// reads the state of another tenant. The new tenant is offered it then, and a person has to approve. From
// there on the former tenant's link is dead: its sync drops it when it next looks at it (see [Accounts.Lost]).
//
// It writes nothing to an application and drops no link: see package reconcile for what follows.
//
// It promises that an account has one owner, and that none is taken from an owner who did not offer it or
// is still configured.
package ownership
