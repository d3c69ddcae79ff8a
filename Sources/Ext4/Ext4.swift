// Ext4
