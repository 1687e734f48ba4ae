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
date > /data0/www/news.html
systemctl start rsync
systemctl start gorsyncd
gorsyncd flush
#@ Moving the source to another disk
truncate -s 64M /srv/new.img
mkfs.ext4 -q /srv/new.img
mkdir /mnt/new
mount -o loop /srv/new.img /mnt/new
#@ Replacing a remote
rm -rf /srv/dr/*
#@ Restoring a remote from a backup
echo old > /srv/dr/news.html
