-- one row per population as of :as_of: the value of the last of the fewest customers who hold 80 % of it
with summed as (
    select
        amount,
        sum(customers) as customers
    from value_of_part
    group by amount
),

placed as (
    select
        amount,
        sum(cast(amount * customers as decimal(30, 4))) over (order by amount desc) as held,
        sum(cast(amount * customers as decimal(30, 4))) over () as total
    from summed
)

select max(case when cast(total - held as decimal(30, 4)) * 5 <= total then amount end) as head_value
from placed
