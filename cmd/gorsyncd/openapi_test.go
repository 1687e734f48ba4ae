package main

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/shape"
)

// description makes the OpenAPI description of the API, from the table of routes and
// the types of what they take and answer.
type description struct {
	shapes  *shape.Generator
	schemas map[string]any // by name, below components
}

type object = map[string]any

// openAPI is docs/openapi.json.
func openAPI(routes []control.Route) ([]byte, error) {
	d := &description{shapes: shape.New("gorsyncd", "../.."), schemas: object{}}
	paths := object{}
	for _, r := range routes {
		op, err := d.operation(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Pattern(), err)
		}
		if paths[r.Path] == nil {
			paths[r.Path] = object{}
		}
		paths[r.Path].(object)[strings.ToLower(r.Method)] = op
	}
	paths["/login"] = object{"post": loginOperation("login", "Gives the cookie "+"gorsyncd_token for a token, in JSON or in a form.", true)}
	paths["/logout"] = object{"post": loginOperation("logout", "Ends what the cookie is good for.", false)}
	failure, err := d.ref(control.ErrorDocument{})
	if err != nil {
		return nil, err
	}
	return indented(object{
		"openapi": "3.1.0",
		"info": object{"title": "gorsyncd", "version": "1", "description": "The API of the daemon, on its unix socket and, where http.listen is set, over TCP. " +
			"Keys may be added to answers: ignore those you do not know. Unknown keys in requests are refused. " +
			"x-right tells what a request over TCP needs: open nothing; read the token, or on loopback nothing unless http.anonymous_read is false; act the token; socket is to be had at the unix socket only."},
		"servers": []any{object{"url": "http://localhost:8384", "description": "http.listen"}},
		"paths":   paths,
		"components": object{
			"schemas":   d.schemas,
			"responses": object{"Error": object{"description": "What went wrong, and what to do about it.", "content": content("application/json", failure)}},
			"securitySchemes": object{
				"token":  object{"type": "http", "scheme": "bearer", "description": "What is in http.token_file."},
				"cookie": object{"type": "apiKey", "in": "cookie", "name": "gorsyncd_token", "description": "Given by POST /login."},
			},
		},
	})
}

func content(form string, schema any) object { return object{form: object{"schema": schema}} }

func loginOperation(id, summary string, token bool) object {
	op := object{"operationId": id, "summary": summary, "x-right": "open", "security": []any{},
		"responses": object{
			"200": object{"description": "Done.", "content": content("application/json", object{"type": "object", "properties": object{"ok": object{"type": "boolean"}}, "required": []string{"ok"}})},
			"303": object{"description": "Done; of a form."}, "default": object{"$ref": "#/components/responses/Error"},
		}}
	if token {
		body := object{"type": "object", "properties": object{"token": object{"type": "string"}}, "required": []string{"token"}}
		op["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": body}, "application/x-www-form-urlencoded": object{"schema": body}}}
	}
	return op
}

var pathParam = regexp.MustCompile(`\{(\w+)\}`)

func (d *description) operation(r control.Route) (object, error) {
	op := object{"operationId": operationID(r), "summary": r.Summary, "x-right": r.Right}
	switch both := []any{object{"token": []any{}}, object{"cookie": []any{}}}; r.Right {
	case control.RightOpen:
		op["security"] = []any{}
	case control.RightRead:
		op["security"] = append([]any{object{}}, both...)
	case control.RightAct:
		op["security"] = both
	}
	var params []any
	for _, m := range pathParam.FindAllStringSubmatch(r.Path, -1) {
		params = append(params, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for _, p := range r.Query {
		s := object{"type": p.Type}
		if p.Words != nil {
			s["enum"] = p.Words
		}
		one := object{"name": p.Name, "in": "query", "schema": s}
		if p.About != "" {
			one["description"] = p.About
		}
		params = append(params, one)
	}
	if params != nil {
		op["parameters"] = params
	}
	if r.Body != nil {
		s, err := d.body(r.Body)
		if err != nil {
			return nil, err
		}
		op["requestBody"] = object{"content": content("application/json", s)}
	}
	answers := object{}
	for _, a := range r.Answers {
		s, err := d.answer(a)
		if err != nil {
			return nil, err
		}
		maps.Copy(answers, content(a.Form, s))
	}
	op["responses"] = object{"200": object{"description": "Done.", "content": answers}, "default": object{"$ref": "#/components/responses/Error"}}
	return op, nil
}

// operationID is a name for the function of a client: getStatus, postRemotesPause.
func operationID(r control.Route) string {
	words := regexp.MustCompile(`[^a-z]+`).Split(strings.TrimPrefix(pathParam.ReplaceAllString(r.Path, ""), "/api/v1"), -1)
	id := strings.ToLower(r.Method)
	if pathParam.MatchString(r.Path) {
		words = append([]string{"one"}, words...)
	}
	for _, w := range words {
		if w != "" {
			id += strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return id
}

// answer is the schema of the document, of the lines, or of the data of events.
func (d *description) answer(a control.Answer) (any, error) {
	if a.Of == nil {
		return object{}, nil // described by who answers
	}
	s, err := d.choice(a.Of)
	if err != nil {
		return nil, err
	}
	switch a.Form {
	case control.FormLines:
		failure, err := d.ref(control.Error{})
		return object{"type": "object", "description": "Each line. alive says only that the daemon is; the last line has done, or error.",
			"properties": object{"item": s, "alive": object{"type": "boolean"}, "done": object{"type": "boolean"}, "error": failure}}, err
	case control.FormEvents:
		return object{"type": "string", "description": "Server-sent events. contentSchema is for the data of each.",
			"contentMediaType": "application/json", "contentSchema": s}, nil
	}
	return s, nil
}

func (d *description) choice(of []any) (any, error) {
	var all []any
	for _, v := range of {
		s, err := d.ref(v)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return object{"anyOf": all}, nil
}

// ref names the schema of a type.
func (d *description) ref(v any) (any, error) {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Map {
		return object{"type": "object"}, nil
	}
	name := strings.TrimSuffix(t.Name(), "Doc")
	name = strings.ToUpper(name[:1]) + name[1:]
	s, err := d.shapes.Schema(v)
	if err != nil {
		return nil, err
	}
	if had, ok := d.schemas[name]; ok && !reflect.DeepEqual(had, any(s)) {
		return nil, fmt.Errorf("two types are called %s", name)
	}
	d.schemas[name] = s
	return object{"$ref": "#/components/schemas/" + name}, nil
}

// body is the schema of a request: every key may be left out, but there are no others.
func (d *description) body(v any) (any, error) {
	s, err := d.shapes.Schema(v)
	if err != nil {
		return nil, err
	}
	optional(s)
	return s, nil
}

func optional(v any) {
	switch v := v.(type) {
	case object:
		delete(v, "required")
		if v["properties"] != nil {
			v["additionalProperties"] = false
		}
		for _, inner := range v {
			optional(inner)
		}
	case []any:
		for _, inner := range v {
			optional(inner)
		}
	}
}

// fakeRoutes is the table of routes.
func fakeRoutes() []control.Route {
	s := control.NewService(control.Options{API: fakeAPI{}})
	defer s.Close()
	list := s.Routes()
	slices.SortStableFunc(list, func(a, b control.Route) int { return cmp.Compare(a.Path, b.Path) })
	return list
}
