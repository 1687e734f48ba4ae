mkdir -p /data0/www/img
echo logo > /data0/www/img/logo.png
