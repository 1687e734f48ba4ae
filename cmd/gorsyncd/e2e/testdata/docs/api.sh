mkdir -p /data0/www /srv/nas /etc/gorsyncd
cat > /etc/gorsyncd/gorsyncd.yaml <<'END'
sources:
  - path: /data0/www
    remotes:
      - {name: nas, target: /srv/nas}
END
systemctl start gorsyncd
gorsyncd flush
