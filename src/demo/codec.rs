//! Encodes and decodes gRPC messages that tonic's generator did not write.

use prost::Message;
use std::marker::PhantomData;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// Sends `E`s, receives `D`s.
pub(super) struct Messages<E, D>(PhantomData<fn() -> (E, D)>);

pub(super) struct Encode<E>(PhantomData<fn() -> E>);

pub(super) struct Decode<D>(PhantomData<fn() -> D>);

impl<E, D> Default for Messages<E, D> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<E: Message + 'static, D: Message + Default + 'static> Codec for Messages<E, D> {
    type Encode = E;
    type Decode = D;
    type Encoder = Encode<E>;
    type Decoder = Decode<D>;

    fn encoder(&mut self) -> Encode<E> {
        Encode(PhantomData)
    }

    fn decoder(&mut self) -> Decode<D> {
        Decode(PhantomData)
    }
}

impl<E: Message> Encoder for Encode<E> {
    type Item = E;
    type Error = Status;

    fn encode(&mut self, message: E, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message.encode(to).map_err(|error| Status::internal(error.to_string()))
    }
}

impl<D: Message + Default> Decoder for Decode<D> {
    type Item = D;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<D>, Status> {
        D::decode(from).map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}
