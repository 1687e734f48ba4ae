mkdir -p /data0/www/img /srv/www/img /srv/dr /srv/branch /etc/gorsyncd
mount -t tmpfs -o size=16m tmpfs /srv/dr
cat > /etc/rsyncd.conf <<'END'
use chroot = yes
uid = root
gid = root
read only = false
[www]
path = /srv/www
auth users = rsync_backup
secrets file = /etc/rsyncd.secrets
[dr]
path = /srv/dr
[branch]
path = /srv/branch
END
echo 'rsync_backup:change-this' > /etc/rsyncd.secrets
echo 'change-this' > /etc/gorsyncd/rsync.pass
chmod 600 /etc/rsyncd.secrets /etc/gorsyncd/rsync.pass
cat > /etc/gorsyncd/gorsyncd.yaml <<'END'
sources:
  - path: /data0/www
    remotes:
      - {name: backup, target: "rsync_backup@192.168.222.140::www", password_file: /etc/gorsyncd/rsync.pass}
      - {name: dr, target: "192.168.222.140::dr"}
END
date > /data0/www/img/photo.jpg
systemctl start rsync
systemctl start gorsyncd
gorsyncd flush
#@ A remote is failing
echo wrong > /etc/gorsyncd/rsync.pass
systemctl restart gorsyncd
date > /data0/www/news.html
gorsyncd flush --remote www/dr
gorsyncd flush --timeout 1s || true
#@ Some paths are failing
mount --bind /srv/www/img /srv/www/img
mount -o remount,bind,ro /srv/www/img
echo logo > /data0/www/img/logo.png
for i in 1 2 3 4; do gorsyncd flush --timeout 1s || gorsyncd retry www/backup > /dev/null; done
#@ A remote is held
mkdir /data0/www/archive
touch /data0/www/archive/{1..1200}.txt
gorsyncd flush
rm -r /data0/www/archive
gorsyncd flush --timeout 2s || true
#@ A source is held
mv /data0/www /data0/www.away
#@ The journal is pinned
gorsyncd pause www/dr
date > /data0/www/late
gorsyncd flush --remote www/backup
#@ The daemon is down
gorsyncd resume www/dr
gorsyncd flush
#@ The journal is damaged
systemctl stop gorsyncd
rm -r /var/lib/gorsyncd
systemctl start gorsyncd
gorsyncd flush
systemctl stop gorsyncd
for f in $(find /var/lib/gorsyncd -name '*.sst' -o -name '*.mem' | head -1); do
	printf 'gone' | dd of=$f bs=1 seek=100 conv=notrunc status=none
done
#@ The disk of a remote is full
gorsyncd flush
head -c 8M /dev/zero > /srv/dr/old-backup
head -c 12M /dev/zero > /data0/www/video.mp4
gorsyncd flush --remote www/backup
gorsyncd flush --timeout 2s || true
