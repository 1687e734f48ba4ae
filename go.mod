module github.com/gorsyncd/gorsyncd

go 1.26
