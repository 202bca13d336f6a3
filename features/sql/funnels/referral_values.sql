-- one row per answer to whether somebody brought them: what customers bought in the days after registration before :as_of
with spent as (
    select
        users.entity_id,
        case when users.referred_by is not null then 1 else 0 end as was_referred,
        cast(coalesce(sum(lines.amount), 0) as decimal(18, 4)) as amount
    from users
    left join sale_lines as lines
        on
            users.entity_id = lines.entity_id
            and lines.day >= cast(day_number(users.registered_local_at) as int)
            and lines.day < cast(day_number(users.registered_local_at) as int) + :window_days
    where
        users.is_customer
        and users.registered_at is not null
        and cast(day_number(users.registered_local_at) as int) >= :since
        and cast(day_number(users.registered_local_at) as int) < :entries_until
    group by users.entity_id, case when users.referred_by is not null then 1 else 0 end
)

select
    was_referred,
    count(*) as users,
    cast(count(case when amount > 0 then 1 end) as bigint) as buyers,
    cast(sum(amount) as double) as amount,
    cast(sum(amount * amount) as double) as squares
from spent
group by was_referred
