mkdir -p /data0/www /srv/near /srv/far /etc/gorsyncd
cat > /etc/rsyncd.conf <<'END'
use chroot = yes
uid = root
gid = root
[near]
path = /srv/near
read only = false
[far]
path = /srv/far
read only = false
END
cat > /etc/gorsyncd/gorsyncd.yaml <<'END'
sources:
  - path: /data0/www
    remotes:
      - {name: near, target: "192.168.222.140::near"}
      - {name: far, target: "192.168.222.140::far"}
END
systemctl start rsync
systemctl start gorsyncd
gorsyncd flush
#@ What happens when something goes wrong
mv /srv/far /srv/far.away
echo 3 > /data0/www/c
gorsyncd flush --remote www/near
gorsyncd flush --remote www/far --timeout 1s || true
