-- one row per value that a customer of a part had in the 365 days before :as_of
with valued as (
    select
        entity_id,
        cast(sum(amount) as decimal(18, 4)) as amount
    from worth
    where day >= :w365
    group by entity_id
)

select
    amount,
    count(*) as customers
from valued
group by amount
