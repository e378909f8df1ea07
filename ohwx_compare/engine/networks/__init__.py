"""LoRAs and their kin: files that change a checkpoint's weights while a prompt names them."""
