"""The field's architectures, each one readable file with its paper.

They are ordinary PyTorch code: with PyTorch's imports in place of lampion's, a file gives the same
outputs and gradients there (`tests/models/test_same_on_pytorch.py` does that). Import what you need
from its own file or from here.

    from lampion.models import resnet18

| file | what | paper |
|---|---|---|
| `perceptron` | Perceptron | Rosenblatt 1958 |
| `mlp` | MLP | Rumelhart, Hinton, Williams 1986 |
| `lenet` | LeNet5 | LeCun et al. 1998 |
| `alexnet` | AlexNet | Krizhevsky et al. 2012 |
| `vgg` | VGG | Simonyan, Zisserman 2015 |
| `resnet`, `resnet_cifar` | ResNet, CifarResNet | He et al. 2016 |
| `mobilenet`, `mobilenetv2` | MobileNet, MobileNetV2 | Howard et al. 2017, Sandler et al. 2018 |
| `unet` | UNet | Ronneberger et al. 2015 |
| `vision_transformer` | VisionTransformer | Dosovitskiy et al. 2021 |
| `rnn_language_model` | RNNLanguageModel | Zaremba et al. 2014 |
| `seq2seq`, `seq2seq_attention` | Seq2Seq | Sutskever 2014, Bahdanau 2015, Luong 2015 |
| `transformer` | Transformer | Vaswani et al. 2017 |
| `gpt` | GPT, GPT-2's weights | Radford et al. 2019 |
| `bert` | BertModel, MaskedLanguageModel | Devlin et al. 2019 |
| `word2vec` | SkipGram, CBOW | Mikolov et al. 2013 |
| `autoencoder` | Autoencoder, VAE | Hinton, Salakhutdinov 2006; Kingma, Welling 2014 |
| `gan` | Generator, Discriminator, the losses | Goodfellow 2014, Radford 2016, Gulrajani 2017 |
| `ddpm` | DDPM, Denoiser | Ho et al. 2020 |
| `detector` | SingleShotDetector | Liu et al. 2016 |
| `cnn_lstm` | CNNLSTM | Donahue et al. 2015 |
| `cartpole` | CartPole, a game to learn | Barto, Sutton, Anderson 1983 |
| `dqn` | DQN, ReplayBuffer | Mnih et al. 2015 |
| `ppo` | ActorCritic, its loss | Schulman et al. 2017 |
"""

from lampion.models.alexnet import AlexNet, alexnet
from lampion.models.autoencoder import VAE, Autoencoder
from lampion.models.bert import BertModel, MaskedLanguageModel
from lampion.models.cartpole import CartPole
from lampion.models.cnn_lstm import CNNLSTM
from lampion.models.ddpm import DDPM, Denoiser
from lampion.models.detector import SingleShotDetector
from lampion.models.dqn import DQN, AtariQNetwork, ReplayBuffer
from lampion.models.gan import Discriminator, Generator
from lampion.models.gpt import GPT, GPTConfig, load_gpt2_state_dict
from lampion.models.lenet import LeNet5
from lampion.models.mlp import MLP
from lampion.models.mobilenet import MobileNet
from lampion.models.mobilenetv2 import MobileNetV2, mobilenet_v2
from lampion.models.perceptron import Perceptron, xor_network
from lampion.models.ppo import ActorCritic
from lampion.models.resnet import ResNet, resnet18, resnet34, resnet50
from lampion.models.resnet_cifar import CifarResNet, resnet20
from lampion.models.rnn_language_model import RNNLanguageModel
from lampion.models.seq2seq import Decoder, Encoder, Seq2Seq
from lampion.models.transformer import Transformer
from lampion.models.unet import UNet
from lampion.models.vgg import (
    VGG,
    vgg11,
    vgg11_bn,
    vgg13,
    vgg13_bn,
    vgg16,
    vgg16_bn,
    vgg19,
    vgg19_bn,
)
from lampion.models.vision_transformer import VisionTransformer, vit_b_16
from lampion.models.word2vec import CBOW, NegativeSampler, SkipGram

__all__ = [
    "ActorCritic", "AlexNet", "AtariQNetwork", "Autoencoder", "BertModel", "CBOW", "CNNLSTM",
    "CartPole", "CifarResNet", "DDPM", "DQN", "Decoder", "Denoiser", "Discriminator", "Encoder",
    "GPT", "GPTConfig", "Generator", "LeNet5", "MLP", "MaskedLanguageModel", "MobileNet",
    "MobileNetV2", "NegativeSampler", "Perceptron", "RNNLanguageModel", "ReplayBuffer",
    "ResNet", "Seq2Seq", "SingleShotDetector", "SkipGram", "Transformer", "UNet", "VAE", "VGG",
    "VisionTransformer",
    "alexnet", "load_gpt2_state_dict", "mobilenet_v2", "resnet18", "resnet20", "resnet34",
    "resnet50", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19",
    "vgg19_bn", "vit_b_16", "xor_network",
]
