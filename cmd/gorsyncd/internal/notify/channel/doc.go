// Package channel delivers messages of package notify: by webhooks of several services,
// by e-mail, and by a program.
//
// # Facts of the services
//
//   - DingTalk: POST JSON; HTTP 200 with errcode other than 0 is a failure. Signature
//     base64(HMAC-SHA256(key: secret, "MILLISECONDS\nSECRET")) in the query, beside the
//     timestamp. At most 20000 bytes, and 20 messages in a minute: 130101, and then
//     nothing for ten minutes.
//   - WeCom: the same form of answer. Text of at most 2048 bytes, 20 in a minute (45009).
//   - Feishu, Lark: code, or StatusCode of older ones, other than 0 is a failure.
//     Signature base64(HMAC-SHA256(key: "SECONDS\nSECRET", "")) in the body, beside the
//     timestamp. A body of at most 20 KB, 100 in a minute (11232, 9499).
//   - Slack: text, in which & < > are escaped; errors are HTTP statuses.
//   - ntfy: the text is the body, at most 4096 bytes, else it becomes an attachment;
//     title, priority and tags are in the query, where they may be UTF-8.
//   - healthchecks: POST; "OK (not found)" and "OK (rate limited)" come with HTTP 200.
//
// # Properties
//
//   - A text is cut to what the service takes, between characters and items.
//   - Everything in a text is printable, and only text: nobody is mentioned by a name.
//   - URLs, keys and passwords are in no error, no answer and no String, also where a
//     receiver repeats them.
//   - Certificates are verified, against those of the system or of a file. Redirects are
//     not followed. The proxy of webhooks is that of the environment.
//   - A password only goes over a connection that is encrypted, or does not leave this
//     machine.
package channel
